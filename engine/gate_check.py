"""What every check of a diagram's elements does: keep findings, read texts people will see, compile expressions. Part of engine/gate.py."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from keyword import iskeyword
from typing import Any

from lxml import etree

from engine.errors import ExpressionError, Finding
from engine.expressions import CONSTANTS, HOST_FUNCTIONS, KNOWN_FUNCTIONS, calls, compile_expression, syntax, truth
from engine.extensions import BPMN, camunda
from engine.forms import clean_text
from engine.gate_extensions import complaints
from engine.limits import DEFAULT, Limits
from engine.net import Kind

#: Tags of what becomes a node of the net.
NODES = {kind.value for kind in Kind} - {"eventSubProcess"}
#: Names an instance of a repeated activity, or its completion condition, can read besides the facts.
LOCALS = frozenset(
    {"loop_index", "nrOfInstances", "nrOfCompletedInstances", "nrOfActiveInstances"}
    | {"numberOfInstances", "numberOfCompletedInstances", "numberOfActiveInstances"}
)
#: Elements whose text is an expression.
SOURCES = ("conditionExpression", "condition", "loopCardinality", "completionCondition", "timeDate", "timeDuration", "timeCycle")


def tag_of(element: Any) -> str:
    return str(etree.QName(element).localname)


def event_kind(element: Any) -> str:
    for child in element:
        if tag_of(child).endswith("EventDefinition"):
            return tag_of(child).removesuffix("EventDefinition")
    return "none"


class Check:
    """Checks of one file; `find` gathers."""

    def __init__(self, root: Any, file: str, known_names: Collection[str] | None, limits: Limits = DEFAULT) -> None:
        self.root, self.file, self.known_names, self.limits = root, file, known_names, limits
        self.findings: list[Finding] = []
        self.warnings: list[Finding] = []
        self.written = 0  # characters of expressions so far
        own = f"{{{BPMN}}}"
        self.by_id = {item.get("id"): item for item in root.iter() if item.tag.startswith(own) and item.get("id")}
        loops = root.iter(f"{own}multiInstanceLoopCharacteristics")
        #: Element variables of the file's repeated activities.
        self.variables = frozenset(name for name in (camunda(loop, "elementVariable") for loop in loops) if name)

    @property
    def full(self) -> bool:
        """Whether more findings would be dropped, so that looking for them is needless work."""
        return len(self.findings) >= self.limits.findings

    def find(self, rule: str, message: str, element: Any = None) -> None:
        """Keep one finding, as long as there are not too many."""
        if not self.full:
            self.findings.append(self.finding(rule, message, element))

    def finding(self, rule: str, message: str, element: Any, severity: str = "error") -> Finding:
        """A finding about an element of this file."""
        return Finding(
            rule=rule, message=message, element=element.get("id") or "" if element is not None else "", file=self.file, severity=severity
        )

    # Texts.

    def texts(self, element: Any, owner: Any) -> None:
        """Ids, names and documentation: of bearable length, and reading as what they say."""
        name_id = element.get("id") or ""
        if len(name_id) > self.limits.identifier:
            self.find("text_too_long", f"ID「{name_id[:40]}…」：{self.limits.exceeded('identifier', len(name_id))}", owner)
        self.text(element.get("name") or "", "name", "名前", owner)
        if tag_of(element) in ("documentation", "text"):
            self.text("".join(element.itertext()), "text", "説明", owner)

    def text(self, text: str, limit: str, what: str, owner: Any) -> None:
        """One text that a person will read."""
        if len(text) > getattr(self.limits, limit):
            self.find("text_too_long", f"{what}「{text[:40]}…」：{self.limits.exceeded(limit, len(text))}", owner)
            return
        try:
            clean_text(text, len(text) + 1, lines=True)
        except ValueError:
            shown = "".join(char if char.isprintable() else "□" for char in text)
            self.find("text_unsafe", f"{what}「{shown[:60]}」に、目に見えない制御文字が入っています。打ち直してください。", owner)

    # Extensions.

    def extensions(self, element: Any, owner: Any) -> None:
        """Nothing in a foreign namespace that would be dropped in silence."""
        for rule, message in complaints(element):
            if self.full:
                break
            if rule == "ignored_extension":
                if len(self.warnings) < self.limits.findings:
                    self.warnings.append(self.finding("ignored_extension", message, owner, "warning"))
            else:
                self.find("extension_refused", message, owner)

    # Expressions.

    def source(self, element: Any, owner: Any) -> None:
        """The text of an expression is all there is to it: no other language, nothing inside that would be cut off."""
        language = element.get("language")
        if language is not None:
            self.find("expression_language", f"式の言語「{language[:60]}」は使えません。language の指定を消してください。", owner)
        if len(element):
            self.find("expression", "式の中に要素を入れることはできません。文字だけにしてください。", owner)

    def expression(self, text: str, element: Any, what: str, *, local: bool = False) -> bool:
        """It compiles, and reads only known facts when they are given; a completion condition also reads its own counters."""
        enough = self.written > self.limits.expressions_length
        self.written += len(text)
        if self.written > self.limits.expressions_length:
            if not enough:
                self.find("too_many_nodes", f"{self.limits.exceeded('expressions_length')}コールアクティビティに分けてください。", element)
            return False
        known = self.known_names
        if known is not None and (local or known):
            known = frozenset(known) | LOCALS | self.variables
        try:
            if len(text) > self.limits.expression_length:
                raise ExpressionError(
                    source=text[:60] + "…", position=self.limits.expression_length, why=self.limits.exceeded("expression_length")
                )
            compile_expression(text, known)
            self.constant(text)
            if self.limits.expression_nodes < DEFAULT.expression_nodes:  # the language itself keeps the default
                nodes = sum(1 for _ in ast.walk(syntax(text))) + 1
                if nodes > self.limits.expression_nodes:
                    raise ExpressionError(source=text, position=0, why=self.limits.exceeded("expression_nodes", nodes))
        except ExpressionError as error:
            self.find("expression", f"{what}：{error.text}", element)
            return False
        except OverflowError:  # a whole number of hundreds of digits
            self.find("expression", f"{what}：数が大きすぎます。", element)
            return False
        return True

    def condition(self, text: str, element: Any, what: str, *, local: bool = False) -> None:
        """An expression that decides: when it reads nothing, it must already be true, false or null."""
        if self.expression(text, element, what, local=local):
            known, value = self.constant(text)
            try:
                truth(value if known else None, text)
            except ExpressionError as error:
                self.find("expression", f"{what}：{error.text}", element)

    @staticmethod
    def constant(text: str) -> tuple[bool, Any]:
        """Whether an expression reads nothing from the case, and then its value.

        Raises:
            ExpressionError: it reads nothing, and has no value.
        """
        compiled = compile_expression(text)
        if compiled.names or any(function in HOST_FUNCTIONS for function, _ in calls(text)):
            return False, None
        return True, compiled.evaluate({})


def usable(name: str) -> bool:
    """Whether a fact may be called so: a plain name that means nothing else in an expression."""
    taken = name in KNOWN_FUNCTIONS or name in CONSTANTS or name in LOCALS or iskeyword(name)
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None and not taken
