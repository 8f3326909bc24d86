"""The public face of the engine: what pages, commands and tests may use."""

from __future__ import annotations

from engine.accounts import check_new_password, hash_password
from engine.clock import JST, Clock, SetClock, SystemClock, civil_day, end_of_day, start_of_day
from engine.errors import (
    ActionNotOffered,
    AlreadyClaimed,
    AlreadyDone,
    AttachmentRefused,
    CaseClosed,
    CaseNotFound,
    ClosingNotReady,
    Conflict,
    DefinitionRefused,
    ExpressionError,
    Finding,
    FormInvalid,
    Invalid,
    Locked,
    MergeRefused,
    NotAllowed,
    NotClaimed,
    NotFound,
    NotYourSeat,
    NotYourTask,
    NoSeat,
    OrganisationBroken,
    OrganisationNotFound,
    PersonNotFound,
    ProcessNotFound,
    ReasonRequired,
    Refused,
    SamePerson,
    SignInRefused,
    StaleVersion,
    TadachiError,
    TaskClosed,
    TaskNotFound,
    WithdrawNotAllowed,
)
from engine.jobs import run_forever
from engine.organisation import Organisation
from engine.papers import Paper
from engine.service import Engine
from engine.settings import Settings
from engine.views import (
    ActionOffered,
    AttachmentShown,
    Button,
    CaseHead,
    CasePage,
    ClauseShown,
    ClockShown,
    Consequence,
    DutyShown,
    Event,
    FactChange,
    FactShown,
    FieldShown,
    InboxCounts,
    InboxPage,
    InboxRow,
    NoticeShown,
    PaperOffered,
    SeatHeld,
    StartForm,
    StepShown,
    TaskPage,
    Viewer,
)
from engine.work import Work

__all__ = [name for name in dir() if not name.startswith("_") and name != "annotations"]
