from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dbvigil", "0002_alerting"),
    ]

    operations = [
        migrations.AddField(
            model_name="maintenancewindow",
            name="reason",
            field=models.TextField(blank=True, default=""),
        ),
    ]
