"""The isolation table as people and programs read it."""

from __future__ import annotations

from datetime import UTC, datetime

from provider.hosting.datastores.shape import Answer
from provider.hosting.reconcile.isolation import Row, text

NOW = datetime(2026, 11, 29, 18, 0, tzinfo=UTC)
REFUSED = (Answer(question="range"), Answer(question="nested txn"))


def row(tenant: str, *answers: Answer, driver: str = "etcd", fault: str = "") -> Row:
    return Row(tenant=tenant, store="default", driver=driver, when=NOW, answers=answers, fault=fault)


def test_a_driver_has_a_table_a_tenant_a_line_and_a_question_a_column() -> None:
    breach = Answer(question="range", reached="a tenant's certificate reaches a key of the provider")
    printed = text(
        [
            row("b/own", Answer(question="root"), driver="MySQL"),
            row("a/good", *REFUSED),
            row("a/open", breach, REFUSED[1]),
        ]
    )
    assert printed == "\n".join(
        [
            "MySQL",
            "TENANT  DATASTORE  WHEN                  root",
            "b/own   default    2026-11-29T18:00:00Z  denied",
            "",
            "etcd",
            "TENANT  DATASTORE  WHEN                  range    nested txn",
            "a/good  default    2026-11-29T18:00:00Z  denied   denied",
            "a/open  default    2026-11-29T18:00:00Z  ALLOWED  denied",
            "",
            "a/open in default: a tenant's certificate reaches a key of the provider",
        ]
    )


def test_who_was_not_asked_is_not_isolated_and_the_table_says_why() -> None:
    silent = row("a/silent", fault="nobody answers")
    assert silent.isolated is False
    printed = text([row("a/good", *REFUSED), silent])
    assert "a/silent  default    2026-11-29T18:00:00Z  not asked  not asked" in printed
    assert printed.endswith("a/silent in default: not asked: nobody answers")


def test_programs_read_each_verdict() -> None:
    said = row("a/good", *REFUSED).said()
    assert said["isolated"] is True
    assert [each["verdict"] for each in said["questions"]] == ["denied", "denied"]
    assert said["when"] == "2026-11-29T18:00:00Z"
