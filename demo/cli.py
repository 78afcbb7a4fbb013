"""`flask demo …`"""

from flask.cli import AppGroup

cli = AppGroup("demo", help="Fill and run the demo.")
