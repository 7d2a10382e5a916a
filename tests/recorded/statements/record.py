"""Records what Django's ORM and admin really send to a server, for tests/unit/test_query_rules_corpus.py.

    python -m tests.recorded.statements.record

One statement a line, each form once: literals that differ only in numbers and dates are one form.
"""

from __future__ import annotations

import re
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from dbvigil.sandbox import PrivateServer

FILE = Path(__file__).with_name("django.sql")
_APPS = ("auth", "contenttypes", "sessions", "messages", "admin")
_PAGES = (
    "/admin/", "/admin/auth/user/", "/admin/auth/user/?q=ada&is_staff__exact=1&p=1", "/admin/auth/user/?o=-1.2",
    "/admin/auth/user/1/change/",
    "/admin/auth/user/1/history/", "/admin/auth/user/1/delete/", "/admin/auth/group/", "/admin/auth/group/add/",
)  # fmt: skip


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        PrivateServer("mysql-9.7", Path(folder) / "server") as server,
    ):
        server.execute("CREATE DATABASE shop CHARACTER SET utf8mb4")
        server.create_user("django", "django-1", ("ALL ON shop.*",))
        _configure(server)
        statements = _statements()
    found: dict[str, str] = {}
    for sql in statements:
        if re.match(r"(SELECT|INSERT|UPDATE|DELETE|\()", sql):
            found.setdefault(re.sub(r"\d+|'[^']*'", "?", sql), " ".join(sql.split()))
    FILE.write_text("\n".join(found.values()) + "\n")
    print(FILE.name, len(found))


def _configure(server: PrivateServer) -> None:
    import pymysql  # it stands in for another driver from here on

    pymysql.install_as_MySQLdb()
    database = {
        "ENGINE": "django.db.backends.mysql", "NAME": "shop", "HOST": "127.0.0.1", "PORT": server.port, "USER": "django",
        "PASSWORD": "django-1",
    }  # fmt: skip
    settings.configure(
        DEBUG=True, DATABASES={"default": database}, USE_TZ=False, SECRET_KEY="recorded", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=[f"django.contrib.{name}" for name in _APPS], STATIC_URL="/static/",
        MIDDLEWARE=[f"django.contrib.{name}" for name in (
            "sessions.middleware.SessionMiddleware", "auth.middleware.AuthenticationMiddleware", "messages.middleware.MessageMiddleware")],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {"context_processors": [
            "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages"]}}],
    )  # fmt: skip
    django.setup()


def _statements() -> list[str]:
    from django.contrib import admin
    from django.core.management import call_command
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from django.urls import path

    globals()["urlpatterns"] = [path("admin/", admin.site.urls)]
    call_command("migrate", verbosity=0)
    with CaptureQueriesContext(connection) as captured:
        _orm()
        _admin()
    return [one["sql"] for one in captured.captured_queries]


def _orm() -> None:
    from django.contrib.admin.models import LogEntry
    from django.contrib.auth.models import Group, Permission, User
    from django.contrib.contenttypes.models import ContentType
    from django.contrib.sessions.models import Session
    from django.core.paginator import Paginator
    from django.db import models, transaction
    from django.db.models import Avg, Count, Exists, F, Max, OuterRef, Prefetch, Q, Subquery, Sum, Value
    from django.db.models.functions import Coalesce, Concat, RowNumber, TruncMonth
    from django.utils import timezone

    now = timezone.now()
    User.objects.create_superuser("ada", "ada@example.net", "x")
    Group.objects.bulk_create([Group(name=f"group {n}") for n in range(3)])
    Group.objects.bulk_create([Group(name="group 1")], ignore_conflicts=True)
    Group.objects.bulk_create([Group(name="group 2")], update_conflicts=True, update_fields=["name"])
    User.objects.bulk_create(
        [User(username=f"user{n}", email=f"u{n}@example.net") for n in range(40)], batch_size=20
    )
    Group.objects.get_or_create(name="editors")
    Group.objects.update_or_create(name="editors", defaults={"name": "authors"})
    ada = User.objects.get(username="ada")
    ada.groups.add(*Group.objects.all())
    ada.groups.remove(Group.objects.get(name="group 2"))
    ada.groups.set(list(Group.objects.order_by("-id")[:2]))
    ada.user_permissions.set(Permission.objects.filter(codename__startswith="add"))
    ada.last_login = now
    ada.save(update_fields=["last_login"])
    ada.save()
    ada.refresh_from_db()
    ada.has_perm("auth.add_user")
    User.objects.filter(pk=2).update(first_name=Concat(F("username"), Value("!")), is_staff=True)
    User.objects.bulk_update([User(pk=3, first_name="a"), User(pk=4, first_name="b")], ["first_name"])
    LogEntry.objects.create(user=ada, action_flag=1, object_repr="x", change_message="")
    asked: list[Any] = [
        User.objects.all()[:20], User.objects.order_by("username")[20:40],
        User.objects.filter(is_active=True, is_staff=False).order_by("-date_joined"),
        User.objects.filter(username__in=["a", "b"]), User.objects.filter(username__startswith="a").order_by("id"),
        User.objects.filter(username__iexact="ADA"), User.objects.filter(last_login__isnull=True, email__gt="a"),
        User.objects.filter(date_joined__gte=now - timedelta(days=7)), User.objects.filter(date_joined__range=(now, now)),
        User.objects.filter(date_joined__year=2024), User.objects.exclude(groups__name="x"),
        User.objects.filter(groups__name="x").distinct(),
        User.objects.filter(groups__in=Group.objects.filter(name__startswith="g")), User.objects.filter(~Q(is_staff=True) & Q(id__lt=9)),
        LogEntry.objects.select_related("user", "content_type").order_by("-action_time")[:10],
        Permission.objects.select_related("content_type").filter(content_type__app_label="auth"), Permission.objects.all(),
        User.objects.prefetch_related("groups__permissions").filter(id__lt=5),
        Group.objects.prefetch_related(Prefetch("user_set", User.objects.filter(is_active=True))).filter(id=1),
        User.objects.annotate(n=Count("groups")).filter(n__gt=1).order_by("-n", "id")[:5],
        User.objects.values("is_staff").annotate(n=Count("id"), last=Max("date_joined")).order_by("-n"),
        User.objects.annotate(month=TruncMonth("date_joined")).values("month").annotate(n=Count("id")).order_by("month"),
        User.objects.annotate(has=Exists(Group.objects.filter(user=OuterRef("pk")))).filter(has=True).values("id", "has"),
        User.objects.filter(Exists(LogEntry.objects.filter(user=OuterRef("pk")))),
        User.objects.annotate(last=Subquery(LogEntry.objects.filter(user=OuterRef("pk")).order_by("-id").values("id")[:1])).order_by("id")[:9],
        User.objects.annotate(name=Coalesce("first_name", Value("?"))).only("id"), User.objects.defer("password").filter(id=3),
        User.objects.values_list("id", flat=True).filter(is_active=True), User.objects.values("username").distinct(),
        User.objects.filter(id=1).union(User.objects.filter(id=2)), User.objects.filter(id=1).union(User.objects.filter(id=2), all=True),
        User.objects.filter(username=F("email")), ContentType.objects.filter(app_label="auth", model="user"), User.objects.none(),
        User.objects.annotate(n=models.Window(RowNumber(), partition_by="is_staff", order_by="id")).filter(id__lt=9),
        User.objects.reverse()[:3],
        User.objects.filter(id__in=range(1, 60)), Session.objects.filter(expire_date__gt=now),
        User.objects.filter(Q(username="a") | Q(username="b")),
        User.objects.filter(id__in=User.objects.filter(is_staff=True).values("id")),
        Group.objects.filter(permissions__content_type__model="user"),
    ]  # fmt: skip
    for query in asked:
        list(query)
    User.objects.filter(is_active=True).count(), User.objects.filter(groups__name="x").distinct().count()
    (
        User.objects.filter(username="ada").exists(),
        User.objects.first(),
        User.objects.last(),
        User.objects.earliest("date_joined"),
    )
    (
        User.objects.latest("id"),
        User.objects.in_bulk([1, 2]),
        User.objects.contains(ada),
        User.objects.dates("date_joined", "year"),
    )
    list(User.objects.dates("date_joined", "year")), list(User.objects.datetimes("date_joined", "month"))
    User.objects.aggregate(Count("id"), Max("date_joined"), Avg("id"), n=Sum("id", filter=Q(is_staff=True)))
    page = Paginator(User.objects.order_by("id"), 10).page(3)
    list(page.object_list)
    list(User.objects.order_by("id").iterator(chunk_size=10))
    with transaction.atomic():
        User.objects.select_for_update().get(pk=1)
        list(User.objects.select_for_update(skip_locked=True).filter(is_staff=True).order_by("id")[:5])
    Session.objects.filter(expire_date__lt=now).delete()
    LogEntry.objects.filter(pk=1).delete()
    User.objects.get(pk=9).delete()
    Group.objects.filter(name="group 0").delete()


def _admin() -> None:
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.get(username="ada"))
    for page in _PAGES:
        answer = client.get(page)
        assert answer.status_code == 200, page
    client.logout()


if __name__ == "__main__":
    main()
