"""Models of every odd kind: see the test of the map for what each is for."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import models


class Customer(models.Model):
    email = models.CharField(max_length=80, unique=True)
    country = models.CharField(max_length=2, db_column="land", db_index=True)
    user = models.OneToOneField(User, models.CASCADE, null=True)

    class Meta:
        app_label = "shop_app"


class Supporter(Customer):
    """Proxy: Customer's table."""

    class Meta:
        app_label = "shop_app"
        proxy = True


class Wholesaler(Customer):
    """Multi-table inheritance: a table of its own with its own columns only."""

    discount = models.IntegerField(default=0)

    class Meta:
        app_label = "shop_app"


class Tag(models.Model):
    word = models.CharField(max_length=20)

    class Meta:
        app_label = "shop_app"


class Order(models.Model):
    number = models.CharField(max_length=12, primary_key=True, db_column="order_no")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders", db_column="buyer")
    placed = models.DateTimeField()
    total = models.IntegerField()
    note = models.TextField(default="")
    tags = models.ManyToManyField(Tag, related_name="orders")

    class Meta:
        app_label = "shop_app"
        db_table = "orders"
        indexes = [
            models.Index(fields=["total"], name="ix_orders_total"),
            models.Index(fields=["customer", "placed"], name="ix_orders_buyer_placed"),
        ]
        constraints = [models.UniqueConstraint(fields=["customer", "number"], name="once_a_customer")]
        unique_together = [("placed", "number")]


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    gift_for = models.ForeignKey(Customer, models.CASCADE, null=True, related_name="+")

    class Meta:
        app_label = "shop_app"
        db_table = '"archive"."lines"'


class Ledger(models.Model):
    """Somebody else's table."""

    amount = models.IntegerField()

    class Meta:
        app_label = "shop_app"
        managed = False
        db_table = "ledger"


class Visit(models.Model):
    """Swapped for another."""

    class Meta:
        app_label = "shop_app"
        swappable = "SHOP_VISIT_MODEL"
