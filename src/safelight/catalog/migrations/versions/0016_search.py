"""Add the words of photos, for searches.

They are in a table of their own, which triggers of the photos fill: the photos' table is neither
rewritten nor made wider, and photos that another version of the program adds or changes are found
too. The migration fills in the newest photos, about a second, while writes of photos wait; jobs
fill in the others, newest first, from `search_filled_from` in the table of the installation.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_LISTED = "{row}.status = 'ready' AND {row}.trashed_at IS NULL"
"""Which rows are in lists of photos."""

# A run of digits, a letter of a script without spaces or a symbol, and a run of other letters. They
# are listed by code points, since classes like [[:alpha:]] depend on the database's locale.
_SINGLE = (
    r"\u2600-\u27bf\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff"
    r"\U0001f000-\U0001faff\U00020000-\U0003ffff"
)
_NO_LETTER = (
    r"\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u2000-\u25ff\u27c0-\u2bff"
    r"\u3000-\u3040\u30fb\ufe00-\ufe0f\ufe30-\ufe4f\U000e0000-\U000e0fff"
)
# Both what is stored and what is searched for go through it: without accents, in lower case.
_SPLIT = r"""
  SELECT coalesce(array_agg(left(part[1], 64) ORDER BY place), '{{}}')
  FROM regexp_matches(
    replace(replace(translate(lower(normalize(
      regexp_replace(normalize(content, NFKD), '[\u0300-\u036f]', '', 'g'), NFC
    )), 'øłđı', 'oldi'), 'ß', 'ss'), 'æ', 'ae'),
    '[0-9]+|[{single}]|[^0-9{single}{no_letter}]+', 'g'
  ) WITH ORDINALITY AS split (part, place)
"""
_WORDS = _SPLIT.format(single=_SINGLE, no_letter=_NO_LETTER)
_PREFIX = "SELECT encode(substr(sha256(convert_to(owner, 'UTF8')), 1, 6), 'base64')"
# The date is in words of its own, which no text contains.
_VECTOR = """
  SELECT array_to_tsvector(array_agg(prefix || word)) FROM unnest(words || ARRAY[
    '@' || to_char(at, 'YYYY'), '@' || to_char(at, 'YYYY-MM'), '@' || to_char(at, 'YYYY-MM-DD'),
    '@' || to_char(at, 'MM')
  ]) AS word
"""
_FUNCTION = """
CREATE FUNCTION safelight_{name} LANGUAGE sql {volatility} PARALLEL SAFE STRICT AS $${body}$$
"""
_FUNCTIONS = (
    _FUNCTION.format(
        name="words(content text) RETURNS text[]", volatility="IMMUTABLE", body=_WORDS
    ),
    _FUNCTION.format(
        name="search_prefix(owner text) RETURNS text", volatility="IMMUTABLE", body=_PREFIX
    ),
    _FUNCTION.format(
        name="search_vector(prefix text, words text[], at timestamp) RETURNS tsvector",
        volatility="STABLE",
        body=_VECTOR,
    ),
)
# All terms, each a text or a date. The last word may be the beginning of one. No word contains a
# quote or a backslash. Null if there is nothing to search for.
_QUERY = """
CREATE FUNCTION safelight_search_query(owner text, texts text[], dates text[]) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  prefix text := safelight_search_prefix(owner);
  words text[];
  term tsquery;
  whole tsquery;
BEGIN
  FOR n IN 1 .. cardinality(texts) LOOP
    words := safelight_words(texts[n]);
    term := NULL;
    FOR m IN 1 .. cardinality(words) LOOP
      term := coalesce(term && safelight_search_lexeme(prefix || words[m],
        n = cardinality(texts) AND m = cardinality(words)),
        safelight_search_lexeme(prefix || words[m],
        n = cardinality(texts) AND m = cardinality(words)));
    END LOOP;
    IF dates[n] IS NOT NULL THEN
      term := coalesce(term || safelight_search_lexeme(prefix || '@' || dates[n], false),
        safelight_search_lexeme(prefix || '@' || dates[n], false));
    END IF;
    whole := coalesce(whole && term, whole, term);
  END LOOP;
  RETURN whole;
END $$
"""
_LEXEME = """
CREATE FUNCTION safelight_search_lexeme(word text, is_prefix boolean) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (quote_literal(word) || CASE WHEN is_prefix THEN ':*' ELSE '' END)::tsquery
$$
"""

# With the rights of the tables' owner, like the triggers of the counts. There is no percent sign in
# it: whether the driver would halve it depends on earlier migrations. What is in the schema can be
# called by EXECUTE alone, which plans it each time; so the functions are repeated here.
_KEEP = """
CREATE FUNCTION safelight_keep_search() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  owner text := NEW.owner;
  at timestamp := NEW.local_at;
  content text := {content};
  prefix text := ({prefix});
  words text[] := ({words});
BEGIN
  IF {listed} THEN
    EXECUTE 'INSERT INTO ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_search'
      ' (photo_id, owner, created_at, local_at, words) VALUES ($1, $2, $3, $4, $5)'
      ' ON CONFLICT (photo_id) DO UPDATE SET'
      ' created_at = excluded.created_at, local_at = excluded.local_at, words = excluded.words'
      USING NEW.id, owner, NEW.created_at, at, ({vector});
  ELSE
    EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_search'
      ' WHERE photo_id = $1' USING NEW.id;
  END IF;
  RETURN NULL;
END $$
"""
_FORGET = """
CREATE FUNCTION safelight_forget_search() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_search'
      ' WHERE photo_id = $1' USING OLD.id;
  ELSE
    EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_search';
  END IF;
  RETURN NULL;
END $$
"""
_CONTENT = (
    "concat_ws(' ', {row}.title, {row}.description, {row}.filename,"
    " {row}.details ->> 'camera_make', {row}.details ->> 'camera_model')"
)
_SEARCHED = (
    *("status", "trashed_at", "title", "description", "filename", "details"),
    *("created_at", "local_at"),
)
_TRIGGERS = (
    f"""
CREATE TRIGGER safelight_search_insert AFTER INSERT ON safelight_photos
FOR EACH ROW WHEN ({_LISTED.format(row="NEW")}) EXECUTE FUNCTION safelight_keep_search()
""",
    f"""
CREATE TRIGGER safelight_search_update AFTER UPDATE ON safelight_photos FOR EACH ROW
WHEN ((OLD.status = 'ready' OR NEW.status = 'ready') AND ({
        " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in _SEARCHED)
    }))
EXECUTE FUNCTION safelight_keep_search()
""",
    """
CREATE TRIGGER safelight_search_delete AFTER DELETE ON safelight_photos
FOR EACH ROW WHEN (OLD.status = 'ready') EXECUTE FUNCTION safelight_forget_search()
""",
    """
CREATE TRIGGER safelight_search_truncate AFTER TRUNCATE ON safelight_photos
FOR EACH STATEMENT EXECUTE FUNCTION safelight_forget_search()
""",
)
_FILL = """
INSERT INTO safelight_search (photo_id, owner, created_at, local_at, words)
SELECT id, owner, created_at, local_at, safelight_search_vector(
  safelight_search_prefix(owner), safelight_words({content}), local_at
)
FROM safelight_photos AS photo WHERE {listed} AND id >= (
  SELECT coalesce(min(id), 0)
  FROM (SELECT id FROM safelight_photos ORDER BY id DESC LIMIT 10000) AS newest
)
"""
_REMEMBER = """
INSERT INTO safelight_installation (name, value)
SELECT 'search_filled_from', min(id)
FROM (SELECT id FROM safelight_photos ORDER BY id DESC LIMIT 10000) AS newest
HAVING min(id) > (SELECT min(id) FROM safelight_photos)
"""


def upgrade() -> None:
    """Create the table, the functions and the triggers, and fill in the newest photos."""
    op.create_table(
        "safelight_search",
        sa.Column("photo_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_at", sa.DateTime(timezone=False), nullable=False),
        sa.Column("words", TSVECTOR, nullable=False),
    )
    op.create_index(
        "safelight_search_words_idx",
        "safelight_search",
        ["words"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    for function in (*_FUNCTIONS, _LEXEME, _QUERY, _FORGET):
        op.execute(function)
    op.execute(
        _KEEP.format(
            listed=_LISTED.format(row="NEW"),
            content=_CONTENT.format(row="NEW"),
            prefix=_PREFIX,
            words=_WORDS,
            vector=_VECTOR,
        )
    )
    # A trigger's lock waits for the transactions that have written photos, and lets no others write
    # until the commit. So each photo is filled in either below or by a trigger.
    for trigger in _TRIGGERS:
        op.execute(trigger)
    for name in ("keep", "forget"):
        op.execute(f"REVOKE EXECUTE ON FUNCTION safelight_{name}_search() FROM PUBLIC")
    op.execute(
        _FILL.format(listed=_LISTED.format(row="photo"), content=_CONTENT.format(row="photo"))
    )
    op.execute(_REMEMBER)
