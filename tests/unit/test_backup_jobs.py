"""Backups as rows: one at a time, each step by whom it belongs to, the dead given up, and what every face shows of them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.test import Client

from dbvigil.alerts import engine
from dbvigil.alerts.rules import for_database
from dbvigil.backups import guarding, jobs, running
from dbvigil.backups.errors import BackupError, Ended, UnknownBackup
from dbvigil.backups.guarding import bounded
from dbvigil.backups.judging import figures
from dbvigil.backups.making import Made, Order, Progress
from dbvigil.backups.programs import Stop
from dbvigil.backups.running import Place, tidy
from dbvigil.backups.stored import shown, standings
from dbvigil.backups.verifying import Held
from dbvigil.conf.backups import BackupSchedule, BackupSettings
from dbvigil.models import Backup, BackupPlan
from dbvigil.monitoring.backups import Backups
from dbvigil.targets import Target
from dbvigil.types import DatabaseMetrics, ServerInfo, Threshold
from tests.support.api import BASE
from tests.support.waiting import PATIENCE
from tests.unit.test_api_input import check_problem, post
from tests.unit.test_pages import check_headers, signed_in

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
DUE = datetime(2026, 1, 31, 3, 15, tzinfo=UTC)
HTML = "<script>alert(1)</script>"
SCHEDULE = BackupSchedule("15 3 * * *")


@pytest.fixture(autouse=True)
def monitored(settings: Any, tmp_path: Path) -> None:
    settings.DB_MONITORING_TARGETS = dict.fromkeys(("shop", "other"), "mysql://u:p@127.0.0.1:1/")
    settings.DB_BACKUP_FOLDER = str(tmp_path / "kept")
    settings.DB_BACKUP_SCHEDULES = {"shop": "15 3 * * *"}
    settings.BACKUP_SCHEDULER_ENABLED = True


def row(number: int = 0, **values: Any) -> Backup:
    at = NOW - timedelta(days=number)
    defaults: dict[str, Any] = {
        "database": "shop", "asked_at": at, "started_at": at, "finished_at": at + timedelta(minutes=3), "status": "done",
        "source": "shop", "file": f"shop/{number}.sql.gz", "size_bytes": 1000, "plain_bytes": 9000, "verification": "verified",
        "verified_at": at, "report": {"summary": "3 tables equal in rows and checksum"}, "facts": {"warnings": []},
    }  # fmt: skip
    return Backup.objects.create(**(defaults | values))


def test_one_at_a_time() -> None:
    first = jobs.ask("shop", "ada", NOW)
    with pytest.raises(BackupError, match=f"shop is being backed up already: backup {first.pk} is waiting"):
        jobs.ask("shop", "bob", NOW)
    assert jobs.ask("other", "ada", NOW).pk != first.pk
    assert jobs.claim(first.pk, "me", NOW)
    assert not jobs.claim(first.pk, "else", NOW)
    assert jobs.fail(first.pk, "me", "it rained", NOW)
    assert jobs.ask("shop", "bob", NOW).pk > first.pk


def test_a_scheduled_time_has_one_backup() -> None:
    first = jobs.ask("shop", "", NOW, slot=DUE)
    jobs.claim(first.pk, "me", NOW)
    jobs.fail(first.pk, "me", "it rained", NOW)
    with pytest.raises(BackupError):
        jobs.ask("shop", "", NOW, slot=DUE)


def test_who_was_given_up_changes_nothing_any_more() -> None:
    made = jobs.ask("shop", "ada", NOW)
    jobs.claim(made.pk, "me", NOW)
    assert jobs.change(made.pk, "me", source="shop")
    assert not jobs.change(made.pk, "else", source="other")
    stale = jobs.get(made.pk)
    assert jobs.change(made.pk, "me")
    assert not jobs.give_up(stale, "its beat stood still", NOW)
    assert jobs.give_up(jobs.get(made.pk), "its beat stood still", NOW)
    assert not jobs.change(made.pk, "me", status="done")
    assert not jobs.fail(made.pk, "me", "late", NOW)
    found = jobs.get(made.pk)
    assert (found.status, found.error, found.active, found.source) == (
        "failed",
        "its beat stood still",
        None,
        "shop",
    )


def test_a_verification_that_died_leaves_a_backup_that_is_not_verified() -> None:
    made = row(verification="verified")
    assert jobs.claim_proof(made.pk, "me")
    assert not jobs.claim_proof(made.pk, "else")
    with pytest.raises(BackupError):
        jobs.ask("shop", "ada", NOW)
    assert jobs.give_up(jobs.get(made.pk), "its host went down", NOW)
    found = jobs.get(made.pk)
    assert (found.status, found.verification, found.active) == ("done", "failed", None)
    assert found.report == {"summary": "the verification did not come to its end: its host went down"}


def test_the_dead_are_found_by_a_beat_that_stands_still_under_our_own_eyes() -> None:
    made, clock = jobs.ask("shop", "ada", NOW), [0.0]
    jobs.claim(made.pk, "another-host:1:1.00", NOW)
    watch = jobs.Deathwatch(lambda: clock[0])
    assert watch.dead() == []
    clock[0] = 19.0
    jobs.change(made.pk, "another-host:1:1.00")
    assert watch.dead() == []
    clock[0] = 38.0
    assert watch.dead() == []
    clock[0] = 39.5
    assert [found.pk for found in watch.dead()] == [made.pk]


def test_the_dead_of_this_host_are_found_at_once() -> None:
    child = subprocess.Popen(["sleep", "60"])
    host, _, started = (
        jobs.me().partition(":")[0],
        None,
        jobs._identity(__import__("psutil").Process(child.pid)),
    )
    made = jobs.ask("shop", "ada", NOW)
    jobs.claim(made.pk, started, NOW)
    assert not jobs.gone(started)
    assert jobs.Deathwatch().dead() == []
    child.kill()
    child.wait()
    assert jobs.gone(started)
    assert [found.pk for found in jobs.Deathwatch().dead()] == [made.pk]
    # The number was given to somebody else since.
    assert jobs.gone(f"{host}:1:1.00")
    assert not jobs.gone(jobs.me())
    assert not jobs.gone("")


def test_a_killed_command_and_a_wish_that_nobody_obeyed_stand_in_nobody_s_way() -> None:
    killed = jobs.ask("shop", "ada", NOW)
    nobody = jobs.me().partition(":")[0] + ":1:1.00"
    jobs.claim(killed.pk, nobody, NOW)
    jobs.change(killed.pk, nobody, plain_bytes=900)
    jobs.bury("shop", NOW)
    wished = jobs.ask("shop", "bob", NOW)
    proved = row(database="other", file="other/1.sql.gz")
    jobs.claim_proof(proved.pk, nobody)
    jobs.bury("other", NOW)
    assert (jobs.get(proved.pk).status, jobs.get(proved.pk).verification) == ("done", "failed")
    found = jobs.get(killed.pk)
    assert (found.status, found.error, found.plain_bytes) == ("failed", jobs.KILLED, None)
    # A monitor may be about to make it.
    with pytest.raises(BackupError, match=f"backup {wished.pk} is waiting"):
        jobs.take("shop", "bob", NOW + timedelta(seconds=59))
    assert jobs.take("shop", "bob", NOW + timedelta(seconds=61)).pk == wished.pk


def test_what_a_command_takes_is_its_own_from_the_beginning() -> None:
    taken = jobs.take("shop", "ada", NOW)
    assert (taken.status, taken.runner, taken.started_at) == ("running", jobs.me(), NOW)
    assert not jobs.claim(taken.pk, "a monitor", NOW)
    assert jobs.claim(taken.pk, jobs.me(), NOW)


def test_what_is_long_over_is_forgotten() -> None:
    row(401, status="failed")
    row(402, removed_at=NOW)
    stay = {row(403).pk, row(399, status="failed").pk, row(1, removed_at=NOW).pk}
    assert jobs.maintain(NOW, 30) is False
    assert set(Backup.objects.values_list("pk", flat=True)) == stay


def test_what_has_had_its_time_goes_with_its_file_and_stays_on_record(tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "shop"
    kept.mkdir(parents=True, mode=0o700)
    rows = [row(number, verification="verified" if number == 60 else "failed") for number in (0, 3, 50, 60)]
    for one in rows:
        (tmp_path / "kept" / one.file).write_bytes(b"rows")
        (tmp_path / "kept" / f"{one.file}.json").write_text("{}")
    place = Place(BackupSettings(schedules={"shop": SCHEDULE}, folder=str(tmp_path / "kept")), {})
    assert tidy("shop", place, NOW) == [rows[2].pk]
    assert sorted(path.name for path in kept.iterdir()) == [
        "0.sql.gz", "0.sql.gz.json", "3.sql.gz", "3.sql.gz.json", "60.sql.gz", "60.sql.gz.json",
    ]  # fmt: skip
    gone = jobs.get(rows[2].pk)
    assert gone.removed_at == NOW
    assert gone.removed_why == "older than 7 days, and not the one of its week"
    assert tidy("shop", place, NOW) == []
    old = row(90, database="other")
    row(0, database="other")
    assert tidy("other", place, NOW) == []
    assert jobs.get(old.pk).removed_at is None


def test_work_ends_when_its_time_is_up_or_somebody_says_so() -> None:
    with pytest.raises(Ended, match="it took longer than 2e-05 h, and was ended"):
        bounded(asyncio.sleep(60), 0.072, Stop())
    stop = Stop()
    timer = threading.Timer(0.1, stop.end, ["the monitor stopped"])
    timer.start()
    with pytest.raises(Ended, match="the monitor stopped"):
        bounded(asyncio.sleep(60), 60, stop)
    with pytest.raises(Ended, match="the monitor stopped"):
        bounded(asyncio.sleep(60), 60, stop)
    assert bounded(asyncio.sleep(0, "done"), 60, Stop()) == "done"


# -- the monitor


class Started:
    """What the monitor would have run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[list[str]] = []
        monkeypatch.setattr("dbvigil.monitoring.backups.process.start", self.start)

    def start(self, command: list[str], log: Path, environment: dict[str, str]) -> Any:
        self.commands.append(command)
        assert environment["DJANGO_SETTINGS_MODULE"] == "service.settings"
        log.write_text("starting\nTraceback: it could not\n")
        return subprocess.Popen(["sh", "-c", "exit 3"])


def test_what_is_due_is_started_once_and_a_process_that_dies_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = BackupSettings(True, {"shop": SCHEDULE}, str(tmp_path / "kept"))
    started, monitor = Started(monkeypatch), Backups()
    monitor.look(settings, ["shop", "other"], DUE - timedelta(hours=1))
    assert (started.commands, Backup.objects.count()) == ([], 0)
    assert monitor.standings["shop"].since == DUE - timedelta(hours=1)
    # Of a database that another monitor holds nothing is made.
    monitor.look(settings, ["other"], DUE)
    assert Backup.objects.count() == 0
    monitor.look(settings, ["shop"], DUE)
    (made,) = Backup.objects.all()
    assert (made.slot, made.active) == (DUE, "shop")
    assert [command[1:] for command in started.commands] == [["-m", "dbvigil.backups.worker", str(made.pk)]]
    monitor._children[made.pk].process.wait(PATIENCE)
    monitor.look(settings, ["shop"], DUE + timedelta(seconds=3))
    found = jobs.get(made.pk)
    assert (found.status, found.error) == ("failed", "its process ended with code 3: Traceback: it could not")
    assert monitor.standings["shop"].failed is True
    monitor.look(settings, ["shop"], DUE + timedelta(minutes=3))
    assert (len(started.commands), Backup.objects.count()) == (1, 1)
    assert list((tmp_path / "kept").iterdir()) == []
    # A night without a monitor is made up for once.
    monitor.look(settings, ["shop"], DUE + timedelta(days=3, hours=5))
    assert [one.slot for one in Backup.objects.order_by("pk")] == [DUE, DUE + timedelta(days=3)]
    monitor.end(DUE + timedelta(days=3, hours=6))
    assert [one.status for one in Backup.objects.all()] == ["failed", "failed"]


def test_a_process_that_came_too_late_leaves_the_other_s_backup_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = BackupSettings(True, {"shop": SCHEDULE}, str(tmp_path / "kept"))
    started, monitor = Started(monkeypatch), Backups()
    asked = jobs.ask("shop", "ada", NOW)
    monitor.look(settings, ["shop"], NOW)
    assert len(started.commands) == 1
    assert jobs.claim(asked.pk, jobs.me(), NOW)
    monitor._children[asked.pk].process.wait(PATIENCE)
    monitor.look(settings, ["shop"], NOW + timedelta(seconds=3))
    found = jobs.get(asked.pk)
    assert (found.status, found.runner, found.error) == ("running", jobs.me(), "")
    assert len(started.commands) == 1


def test_a_scheduler_that_is_off_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    started, monitor = Started(monkeypatch), Backups()
    jobs.ask("shop", "ada", NOW)
    monitor.look(BackupSettings(False, {"shop": SCHEDULE}), ["shop"], NOW)
    assert (started.commands, monitor.standings) == ([], {})


def test_a_changed_schedule_owes_nothing_of_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Started(monkeypatch)
    BackupPlan.objects.create(database="shop", cron="0 0 * * *", since=DUE - timedelta(days=9))
    Backups().look(BackupSettings(True, {"shop": SCHEDULE}, str(tmp_path)), ["shop"], NOW)
    plan = BackupPlan.objects.get()
    assert (plan.cron, plan.since, Backup.objects.count()) == ("15 3 * * *", NOW, 0)


# -- what rules make of it


def alerts(now: datetime) -> dict[str, str]:
    """The alerts that fire at `now`, by metric."""
    settings = BackupSettings(True, {"shop": SCHEDULE})
    found = figures(standings(settings, ["shop"]).get("shop"), now)
    levels = {
        "backup_overdue_seconds": Threshold("backup_overdue_seconds", 7200.0, 93600.0),
        "backup_size_change": Threshold("backup_size_change", 50.0, None),
    }
    metrics = DatabaseMetrics(database="shop", timestamp=now, up=True, uptime=1e6, **found)
    step = engine.step(for_database(levels), metrics, {}, now)
    return {one.metric: one.severity for one in step.transitions if one.metric.startswith("backup_")}


def plan() -> None:
    BackupPlan.objects.create(database="shop", cron=SCHEDULE.cron, since=NOW - timedelta(days=30))


def test_without_a_schedule_or_anything_wrong_there_is_no_alert() -> None:
    assert alerts(NOW) == {}
    plan()
    for number in range(6):
        row(number, started_at=DUE - timedelta(days=number))
    assert alerts(NOW) == {}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"status": "failed", "verification": ""},
            {"backup_ok": "critical", "backup_overdue_seconds": "warning"},
        ),
        ({"verification": "failed"}, {"backup_verified": "warning"}),
        ({"verification": "skipped"}, {}),
        ({"plain_bytes": 3000}, {"backup_size_change": "warning"}),
        ({"plain_bytes": 20_000}, {"backup_size_change": "warning"}),
        ({"plain_bytes": 10_000}, {}),
        # Verified or not is not known while it is being looked at: what is known of the one before holds.
        ({"status": "verifying", "verification": ""}, {}),
    ],
)
def test_what_raises_an_alert(values: dict[str, Any], expected: dict[str, str]) -> None:
    plan()
    row(0, started_at=DUE, **values)
    for number in range(1, 6):
        row(number, started_at=DUE - timedelta(days=number))
    assert alerts(NOW) == expected


def test_a_copy_of_files_and_a_dump_are_of_no_common_size() -> None:
    plan()
    row(0, started_at=DUE, plain_bytes=90_000, file="shop/0.mbstream.gz.sealed")
    for number in range(1, 6):
        row(number, started_at=DUE - timedelta(days=number))
    assert alerts(NOW) == {}
    for number in range(6, 11):
        row(
            number,
            started_at=DUE + timedelta(minutes=number),
            plain_bytes=90_000,
            file=f"shop/{number}.mbstream.gz",
        )
    row(11, started_at=DUE + timedelta(minutes=11), file="shop/11.mbstream.gz")
    assert alerts(NOW) == {"backup_size_change": "warning"}


def test_a_backup_is_late_26_hours_after_the_last_good_one() -> None:
    plan()
    row(1, started_at=DUE - timedelta(days=1))
    last = DUE - timedelta(days=1)
    assert alerts(last + timedelta(hours=26) - timedelta(seconds=1)) == {}
    assert alerts(last + timedelta(hours=26)) == {"backup_overdue_seconds": "warning"}
    assert alerts(last + timedelta(hours=50)) == {"backup_overdue_seconds": "critical"}


# -- faces


def test_the_api_lists_and_takes_wishes(api: Callable[..., Client]) -> None:
    row(0, error=HTML, key_id="ab" * 8)
    row(1, database="other")
    body = api().get(f"{BASE}backups/").json()
    assert (body["count"], body["scheduler"], body["encrypted"]) == (2, True, False)
    assert set(body["databases"]) == {"shop", "other"}
    assert body["databases"]["other"]["schedule"] is None
    assert body["databases"]["shop"]["schedule"]["cron"] == "15 3 * * *"
    assert body["results"][0]["report"] == {"summary": "3 tables equal in rows and checksum"}
    assert [one["database"] for one in api().get(f"{BASE}backups/?database=other").json()["results"]] == [
        "other"
    ]
    assert api().get(f"{BASE}backups/?limit=1").json()["count"] == 1
    check_problem(api().get(f"{BASE}backups/?database=nowhere"), 404, "unknown-database")
    check_problem(api().get(f"{BASE}backups/?limit=0"), 400, "invalid-value")
    superuser = api("superuser")
    answer = post(superuser, f"{BASE}backups/", {"database": "shop"})
    assert (answer.status_code, answer.json()["status"], answer.json()["asked_by"]) == (
        200,
        "waiting",
        "root",
    )
    problem = check_problem(post(superuser, f"{BASE}backups/", {"database": "shop"}), 409, "no-backup-now")
    assert "is being backed up already" in problem["detail"]
    check_problem(post(superuser, f"{BASE}backups/", {"database": "nowhere"}), 404, "unknown-database")
    check_problem(post(superuser, f"{BASE}backups/", {"database": "shop", "into": "x"}), 400, "invalid-value")
    assert Backup.objects.filter(status="waiting").count() == 1


def test_a_wish_that_nobody_would_obey_is_refused(api: Callable[..., Client], settings: Any) -> None:
    settings.BACKUP_SCHEDULER_ENABLED = False
    problem = check_problem(
        post(api("superuser"), f"{BASE}backups/", {"database": "shop"}), 409, "no-backup-now"
    )
    assert "BACKUP_SCHEDULER_ENABLED" in problem["detail"]
    assert Backup.objects.count() == 0


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("database_monitor", "backup", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_lists_plainly_and_as_json() -> None:
    row(0, status="failed", verification="", error="no room\x1b[2J", size_bytes=None, file="")
    row(1, removed_at=NOW, removed_why="older than 7 days", report=None)
    text = command("list")
    assert "New backups are not encrypted: DB_BACKUP_KEY is not set" in text
    assert "no room\\x1b[2J" in text
    assert "older than 7 days" in text
    assert "\x1b" not in text
    assert json.loads(command("list", "--json"))["count"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("now",), "--database A is missing; known: shop, other"),
        (("now", "--database", "nowhere"), "no monitored database is named 'nowhere'"),
        (("verify",), "--id N is missing"),
        (("verify", "--database", "shop"), "there is no good backup of shop"),
        (("verify", "--id", "7"), "there is no backup 7"),
        (("restore", "--id", "7"), "--into URL is missing"),
        (("restore", "--id", "7", "--into", "mysql://u:p@h/"), "there is no backup 7"),
        (("cat", "--id", "7"), "there is no backup 7"),
        (("list", "--limit", "0"), "--limit: allowed: 1 or more"),
        (("burn",), "invalid choice: 'burn'"),
    ],
)
def test_what_the_command_cannot_do_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    before = os.nice(0)
    with pytest.raises(CommandError) as caught:
        command(*arguments)
    assert said in str(caught.value)
    # Who calls it as a program does not stay behind everybody else from then on.
    assert os.nice(0) == before


def test_what_has_no_file_is_not_taken_back(tmp_path: Path) -> None:
    removed = row(1, removed_at=NOW, removed_why="older than 7 days")
    failed = row(2, status="failed")
    lost = row(3)
    for number, said in (
        (removed.pk, "was removed at 2026-01-31 12:00 UTC: older than 7 days"),
        (failed.pk, "is failed: it has no file"),
        (lost.pk, "No such file"),
    ):
        with pytest.raises(CommandError, match=said):
            command("cat", "--id", str(number))
    with pytest.raises(CommandError) as caught:
        command("restore", "--id", str(lost.pk), "--into", "mysql://u:hunter2#x@h/")
    assert "--into" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(UnknownBackup):
        jobs.get(99)


def test_the_page_is_for_who_is_signed_in_and_shows_text_as_text(users: dict[str, User]) -> None:
    address = "/core/monitoring/backups/"
    plan()
    for number in range(1, 5):
        row(number, started_at=DUE - timedelta(days=number), plain_bytes=9000 * number)
    row(0, status="failed", verification="", error=HTML, size_bytes=None, plain_bytes=None)
    assert Client().get(address).status_code == 302
    client = signed_in(users["reader"])
    assert client.post(address).status_code == 405
    answer = client.get(address)
    assert answer.status_code == 200
    check_headers(answer)
    text = answer.content.decode()
    assert HTML not in text
    assert "&lt;script&gt;" in text
    assert text.count("<rect ") == 4
    assert 'height="48"' in text
    assert "the last backup failed" in text
    assert 'href="/core/monitoring/backups/"' in client.get("/core/monitoring/locks/").content.decode()


def test_what_is_shown_is_all_that_the_schema_promises(api: Callable[..., Client]) -> None:
    document = api().get(f"{BASE}schema/").json()["components"]["schemas"]["Backup"]
    assert set(shown(row())) == set(document["properties"]) == set(document["required"])


def test_what_cannot_be_put_on_record_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = jobs.ask("shop", "ada", NOW)
    jobs.claim(made.pk, jobs.me(), NOW)
    place = Place(BackupSettings(folder=str(tmp_path / "kept")), {"shop": Target("shop")})

    async def make(order: Order, stop: Stop, progress: Progress) -> Made:
        order.path.write_bytes(b"rows")
        info = ServerInfo("mysql", (9, 7, 4), "9.7.4", performance_schema=False)
        return Made(info, NOW, 4, 4, "0" * 64, Held([], {}, {}), {})

    monkeypatch.setattr(running, "make", make)
    # A monitor has taken this process for dead meanwhile.
    monkeypatch.setattr(jobs, "change", lambda *_, **values: "sha256" not in values)
    with pytest.raises(Ended, match="another process has given this backup up"):
        running._made(made, jobs.me(), place, SCHEDULE, Stop(), Progress())
    assert [path.name for path in (tmp_path / "kept").rglob("*") if path.is_file()] == []

    def away(*_: Any, **values: Any) -> bool:
        if "sha256" in values:
            raise DatabaseError("it is locked")
        return True

    monkeypatch.setattr(jobs, "change", away)
    monkeypatch.setattr(guarding, "_TRIES", 0)
    with pytest.raises(DatabaseError):
        running._made(made, jobs.me(), place, SCHEDULE, Stop(), Progress())
    assert [path.name for path in (tmp_path / "kept").rglob("*") if path.is_file()] == []
