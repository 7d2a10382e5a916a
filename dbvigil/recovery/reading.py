"""Whether a statement only reads, or what else it is: what is not seen to be harmless to end is not taken for it.

Two readings have to agree: the words of the text, and its tree.
"""

from __future__ import annotations

import re
from typing import Literal

from sqlglot import exp

from dbvigil.queries.parse import LONGEST, parse

Kind = Literal["read", "write"]

# Read as the servers do; a text in which a quote may begin or end elsewhere by sql_mode or version is not read at all.
_TOKEN = re.compile(
    r"""
      (?P<space> \s+ | --(?=[\x00-\x20\x7f]|$)[^\n]* | \#[^\n]* | /\*(?!M?!).*?\*/ )
    | (?P<string> '(?:[^'\\]|\\[^'\\]|\\\\|'')*+' | "(?:[^"\\]|\\[^"\\]|\\\\|"")*+" )
    | (?P<name> `(?:[^`]|``)*+` )
    | (?P<word> [A-Za-z_$@\x80-\U0010ffff][\w$@]* )
    | (?P<number> \.?\d[\w$]*(?:\.\d[\w$]*)? )
    | (?P<unclear> ['"`] | /\* )
    | (?P<sign> . )
    """,
    re.DOTALL | re.VERBOSE,
)

_READS = ("SELECT", "WITH")
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
# What makes more of a statement that begins so: it locks, writes elsewhere, calls what is not seen, or is a dump's.
_MORE_TEXT = (
    "INTO OUTFILE DUMPFILE PROCEDURE CALL EXECUTE PREPARE LOAD HANDLER XA SQL_NO_CACHE SQL_BUFFER_RESULT NEXTVAL SETVAL LASTVAL"
    " ALTER CREATE DROP TRUNCATE RENAME GRANT REVOKE LOCK UNLOCK FLUSH KILL BACKUP RETURNING"
)
_MORE = frozenset(_MORE_TEXT.split())
_BEFORE_BRACKET_TEXT = (
    "SELECT FROM WHERE IN AND OR XOR NOT ON USING AS VALUES VALUE ALL ANY SOME EXISTS UNION EXCEPT INTERSECT JOIN STRAIGHT_JOIN INNER"
    " LEFT RIGHT CROSS WHEN THEN ELSE CASE BETWEEN LIKE RLIKE REGEXP BY HAVING DISTINCT OVER INDEX KEY IS DIV MOD LIMIT OFFSET"
    " RECURSIVE WITH INTERVAL CHAR VARCHAR BINARY DECIMAL DATETIME TIME TIMESTAMP DOUBLE FLOAT NCHAR PARTITION SET"
)
_BEFORE_BRACKET = frozenset(_BEFORE_BRACKET_TEXT.split())
_FUNCTIONS_TEXT = (
    "ABS ACOS ADDDATE ADDTIME ASCII ASIN ATAN ATAN2 AVG BENCHMARK BIN BIT_AND BIT_COUNT BIT_LENGTH BIT_OR BIT_XOR CAST CEIL CEILING CHAR"
    " CHARACTER_LENGTH CHAR_LENGTH COALESCE CONCAT CONCAT_WS CONV CONVERT COS COT COUNT CRC32 CUME_DIST CURDATE CURRENT_DATE CURRENT_TIME"
    " CURRENT_TIMESTAMP CURTIME DATABASE DATE DATEDIFF DATE_ADD DATE_FORMAT DATE_SUB DAY DAYNAME DAYOFMONTH DAYOFWEEK DAYOFYEAR DEGREES"
    " DENSE_RANK ELT EXP EXTRACT FIELD FIND_IN_SET FIRST_VALUE FLOOR FORMAT FROM_DAYS FROM_UNIXTIME GREATEST GROUP_CONCAT HEX HOUR IF"
    " IFNULL INET6_ATON INET6_NTOA INET_ATON INET_NTOA INSERT INSTR ISNULL JSON_ARRAY JSON_ARRAYAGG JSON_CONTAINS JSON_CONTAINS_PATH"
    " JSON_DEPTH JSON_EXTRACT JSON_KEYS JSON_LENGTH JSON_OBJECT JSON_OBJECTAGG JSON_SEARCH JSON_TYPE JSON_UNQUOTE JSON_VALID JSON_VALUE"
    " LAG LAST_DAY LAST_VALUE LCASE LEAD LEAST LEFT LENGTH LN LOCATE LOG LOG10 LOG2 LOWER LPAD LTRIM MAKEDATE MAKETIME MATCH AGAINST MAX"
    " MD5 MICROSECOND MID MIN MINUTE MOD MONTH MONTHNAME NOW NTH_VALUE NTILE NULLIF OCT OCTET_LENGTH ORD PERCENT_RANK PERIOD_ADD"
    " PERIOD_DIFF PI POSITION POW POWER QUARTER QUOTE RADIANS RAND RANK REGEXP_INSTR REGEXP_LIKE REGEXP_REPLACE REGEXP_SUBSTR REPEAT"
    " REPLACE REVERSE RIGHT ROUND ROW ROW_NUMBER RPAD RTRIM SCHEMA SECOND SEC_TO_TIME SHA SHA1 SHA2 SIGN SIN SLEEP SOUNDEX SPACE SQRT"
    " STD STDDEV STDDEV_POP STDDEV_SAMP STRCMP STR_TO_DATE ST_ASGEOJSON ST_ASTEXT ST_CONTAINS ST_DISTANCE ST_DISTANCE_SPHERE"
    " ST_GEOMFROMTEXT ST_INTERSECTS ST_WITHIN ST_X ST_Y SUBDATE SUBSTR SUBSTRING SUBSTRING_INDEX SUBTIME SUM SYSDATE TAN TIME TIMEDIFF"
    " TIMESTAMP TIMESTAMPADD TIMESTAMPDIFF TIME_FORMAT TIME_TO_SEC TO_DAYS TO_SECONDS TRIM TRUNCATE UCASE UNHEX UNIX_TIMESTAMP UPPER"
    " USER UTC_DATE UTC_TIME UTC_TIMESTAMP UUID VARIANCE VAR_POP VAR_SAMP VERSION WEEK WEEKDAY WEEKOFYEAR YEAR YEARWEEK"
)
_FUNCTIONS = frozenset(_FUNCTIONS_TEXT.split())
"""Functions of the servers that change nothing. A function of somebody's own may do anything, whatever its name."""

_TREES: dict[str, tuple[type[exp.Expression], ...]] = {
    "read": (exp.Select, exp.SetOperation, exp.Subquery),
    "write": (exp.Insert, exp.Update, exp.Delete),
}
_NOT_IN_A_READ = (exp.DML, exp.DDL, exp.Command, exp.Lock, exp.Into)


def kind_of(text: str) -> Kind | None:
    """`read` for a SELECT that locks nothing, writes nowhere and calls nothing but functions of the server; `write` for a plain INSERT,
    UPDATE, DELETE or REPLACE; None for everything else, and for what cannot be told.
    """
    words = _words(text)
    if words is None:
        return None
    kind: Kind
    if words[0] in _READS:
        kind = "read"
    elif words[0] in _WRITES:
        kind = "write"
    else:
        return None
    tree = parse(text)
    if not isinstance(tree, _TREES[kind]) or (isinstance(tree, exp.Select) and not tree.expressions):
        return None
    if kind == "read" and any(isinstance(node, _NOT_IN_A_READ) for node in tree.walk()):
        return None
    return kind


def first_word(text: str) -> str:
    """The statement's first word, without comments and brackets before it; "" where there is none."""
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "word":
            return token[0].upper()
        if token.lastgroup != "space" and token[0] != "(":
            return ""
    return ""


def _words(text: str) -> list[str] | None:
    """The words of one statement in capitals, strings and names left out; None where it is more than reads and writes of rows."""
    # Code in comments is executed by some servers and not by others.
    if len(text) >= LONGEST or "/*!" in text or "/*M!" in text:
        return None
    words: list[str] = []
    before, dotted, ended, opened = "", False, False, False
    for token in _TOKEN.finditer(text):
        kind, piece = token.lastgroup, token[0]
        if kind == "space":
            continue
        if kind == "unclear" or ended:
            return None
        if piece == ";":
            ended = True
            continue
        if piece == "(":
            columns = not opened and _inserts(words) and "INTO" in words[-3:]
            if not columns and not _may_open(before, dotted):
                return None
            opened = True
        if piece == "=" and before == ":":
            return None
        if kind == "word":
            word = piece.upper()
            into = word == "INTO" and _inserts(words) and len(words) <= 2
            if (
                not dotted
                and not into
                and (word in _MORE or (word in ("UPDATE", "SHARE") and words[-1:] in (["FOR"], ["IN"])))
            ):
                return None
            words.append(word)
        dotted = before == "." if kind in ("word", "name") else False
        before = "`" if kind == "name" else piece.upper()
    return words or None


def _inserts(words: list[str]) -> bool:
    return words[:1] in (["INSERT"], ["REPLACE"])


def _may_open(before: str, dotted: bool) -> bool:
    """Whether a bracket may follow `before` (in capitals, or a sign): a function there has to be one of the server's."""
    if before == "`" or (dotted and before not in (")", ",")):
        return False
    if re.fullmatch(r"[A-Z_$@\x80-\U0010ffff][\w$@]*", before) is None:
        return True
    return before in _FUNCTIONS or before in _BEFORE_BRACKET
