from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dbvigil", "0010_connections"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReplicationFacts",
            fields=[
                ("database", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("facts", models.JSONField()),
            ],
            options={
                "verbose_name": "facts of replication",
                "verbose_name_plural": "facts of replication",
            },
        ),
    ]
