"""A project of whose databases one is a server under test: `shop`, by the environment."""

import os

from service.settings import *  # noqa: F403
from service.settings import DATABASES
from tests.support.mysqldb import use_pymysql

use_pymysql()
DATABASES["shop"] = {
    "ENGINE": "django.db.backends.mysql",
    "HOST": "127.0.0.1",
    "PORT": os.environ["SHOP_PORT"],
    "USER": os.environ["SHOP_USER"],
    "PASSWORD": os.environ["SHOP_PASSWORD"],
    "NAME": "mysql",
    "CONN_MAX_AGE": 60,
}
