"""Reads the `camunda:` namespace of an element: groups, forms, properties, topic, decision (contract, docs/architecture.md §3)."""

from __future__ import annotations

from typing import Any

from engine.net import Choice, FieldSpec, listed
from engine.specs import Extension

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
CAMUNDA = "http://camunda.org/schema/1.0/bpmn"
NAMESPACES = {"bpmn": BPMN, "camunda": CAMUNDA}

#: An lxml element; lxml's own class is private.
Element = Any


def camunda(element: Element, name: str) -> str | None:
    """A `camunda:` attribute, without surrounding space; None when absent or empty."""
    value = element.get(f"{{{CAMUNDA}}}{name}")
    return value.strip() or None if value is not None else None


def text_of(element: Element, path: str) -> str:
    """The text of the first match, or ""."""
    found = element.find(path, NAMESPACES)
    return (found.text or "").strip() if found is not None else ""


def documentation(element: Element) -> str:
    """The element's own documentation, not that of what it contains."""
    return text_of(element, "bpmn:documentation")


def properties(element: Element) -> dict[str, str]:
    """`camunda:properties` of the element itself."""
    found = element.findall("bpmn:extensionElements/camunda:properties/camunda:property", NAMESPACES)
    return {item.get("name", ""): (item.get("value") or "").strip() for item in found}


def form(element: Element) -> tuple[FieldSpec, ...]:
    """The declared fields of `camunda:formData`, in document order."""
    return tuple(_field(item) for item in element.findall("bpmn:extensionElements/camunda:formData/camunda:formField", NAMESPACES))


def _field(item: Element) -> FieldSpec:
    return FieldSpec(
        id=item.get("id", ""),
        label=item.get("label") or item.get("id", ""),
        type=item.get("type") or "string",
        default=item.get("defaultValue"),
        choices=tuple(
            Choice(value.get("id", ""), value.get("name") or value.get("id", "")) for value in item.findall("camunda:value", NAMESPACES)
        ),
        constraints={
            rule.get("name", ""): (rule.get("config") or "").strip()
            for rule in item.findall("camunda:validation/camunda:constraint", NAMESPACES)
        },
        properties={
            # Camunda Modeler writes `id`; `name` is what people write by hand.
            rule.get("id") or rule.get("name", ""): (rule.get("value") or "").strip()
            for rule in item.findall("camunda:properties/camunda:property", NAMESPACES)
        },
    )


def read(element: Element) -> Extension:
    """Everything the namespace says about an element; an event's own definition may carry topic, groups and fields as well."""
    holders = [element, *(child for child in element if isinstance(child.tag, str) and child.tag.endswith("EventDefinition"))]

    def attribute(name: str) -> str | None:
        return next((value for value in (camunda(holder, name) for holder in holders) if value), None)

    merged: dict[str, str] = {}
    for holder in reversed(holders):
        merged.update(properties(holder))
    return Extension(
        candidate_groups=listed(attribute("candidateGroups") or merged.get("candidateGroups")),
        assignee=attribute("assignee"),
        form=next((fields for fields in (form(holder) for holder in holders) if fields), ()),
        properties=merged,
        topic=attribute("topic"),
        expression=attribute("expression"),
        decision=attribute("decisionRef"),
    )
