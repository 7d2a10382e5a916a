from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dbvigil", "0003_window_reason"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertChannel",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=64, unique=True)),
                ("kind", models.CharField(max_length=20)),
                ("url", models.TextField()),
                ("secret", models.TextField(blank=True, default="")),
                ("active", models.BooleanField(default=True)),
                ("created_by", models.CharField(max_length=150)),
                ("created_at", models.DateTimeField()),
                ("changed_by", models.CharField(blank=True, default="", max_length=150)),
                ("changed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "alert channel",
            },
        ),
    ]
