import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Ledger",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("amount", models.IntegerField()),
            ],
            options={
                "db_table": "ledger",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Visit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
            ],
            options={
                "swappable": "SHOP_VISIT_MODEL",
            },
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("email", models.CharField(max_length=80, unique=True)),
                ("country", models.CharField(db_column="land", db_index=True, max_length=2)),
                (
                    "user",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Tag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("word", models.CharField(max_length=20)),
            ],
        ),
        migrations.CreateModel(
            name="Wholesaler",
            fields=[
                (
                    "customer_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="shop_app.customer",
                    ),
                ),
                ("discount", models.IntegerField(default=0)),
            ],
            bases=("shop_app.customer",),
        ),
        migrations.CreateModel(
            name="Supporter",
            fields=[],
            options={
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("shop_app.customer",),
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "number",
                    models.CharField(db_column="order_no", max_length=12, primary_key=True, serialize=False),
                ),
                ("placed", models.DateTimeField()),
                ("total", models.IntegerField()),
                ("note", models.TextField(default="")),
                (
                    "customer",
                    models.ForeignKey(
                        db_column="buyer",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="orders",
                        to="shop_app.customer",
                    ),
                ),
                ("tags", models.ManyToManyField(related_name="orders", to="shop_app.tag")),
            ],
            options={
                "db_table": "orders",
            },
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "gift_for",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="shop_app.customer",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="lines", to="shop_app.order"
                    ),
                ),
            ],
            options={
                "db_table": '"archive"."lines"',
            },
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["total"], name="ix_orders_total"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["customer", "placed"], name="ix_orders_buyer_placed"),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(fields=("customer", "number"), name="once_a_customer"),
        ),
        migrations.AlterUniqueTogether(
            name="order",
            unique_together={("placed", "number")},
        ),
    ]
