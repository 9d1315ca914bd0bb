"""The pages in German, without “du” or “Sie”."""

from datetime import datetime
from typing import Final

from markupsafe import Markup

from safelight.errors import format_size
from safelight.web.pages.languages.texts import Texts

_RETRY_SOON = "Bitte in einigen Sekunden noch einmal versuchen."


def _date(time: datetime) -> str:
    return time.strftime("%d.%m.%Y")


def _taken(time: str) -> str:
    date, _, clock = time.partition("T")
    return f"{'.'.join(reversed(date.split('-')))}, {clock}"


def _photo_count(number: int) -> str:
    return "1 Foto" if number == 1 else f"{number:,} Fotos".replace(",", ".")


def _days(number: int) -> str:
    return "einem Tag" if number == 1 else f"{number} Tagen"


GERMAN: Final = Texts(
    language="de",
    format_date=_date,
    format_time=lambda time: f"{_date(time)}, {time:%H:%M} UTC",
    format_taken=_taken,
    format_size=lambda size: format_size(size).replace(".", ",").replace("bytes", "Bytes"),
    photo_count=_photo_count,
    photos="Fotos",
    photo="Foto",
    untitled_photo="Foto ohne Titel",
    untitled="Ohne Titel",
    title="Titel",
    description="Beschreibung",
    all_photos="Alle Fotos",
    older_photos="Ältere Fotos",
    no_photos="Noch keine Fotos. Das erste erscheint hier.",
    no_older_photos="Es gibt keine älteren Fotos.",
    photos_unavailable="Die Fotos sind gerade nicht verfügbar.",
    pages="Seiten",
    first_page="Erste Seite",
    next_page="Nächste Seite",
    newest="Neueste",
    older="Ältere",
    recent="Neu hinzugefügt",
    search="Suchen",
    search_photos="Fotos suchen",
    nothing_found="Keine Fotos gefunden.",
    albums="Alben",
    all_albums="Alle Alben",
    no_albums="Noch keine Alben.",
    album_is_empty="In diesem Album sind keine Fotos.",
    no_more_in_album="In diesem Album sind keine weiteren Fotos.",
    add_photo="Foto hinzufügen",
    accepted_formats=lambda limit: f"JPEG, PNG, GIF, WebP, AVIF oder HEIC, bis {limit}.",
    upload="Hochladen",
    already_there="Dieses Foto ist schon vorhanden. Es wurde nichts hinzugefügt.",
    taken="Aufgenommen",
    added="Hinzugefügt",
    file="Datei",
    size="Größe",
    dimensions=lambda width, height, size: f"{width} × {height} Pixel, {size}",
    link="Link",
    link_until=Markup('<a href="{}">Volle Größe</a>, für alle, die den Link haben, bis {}.'),
    located="Die Datei enthält den Aufnahmeort.",
    not_displayable="Manche Browser zeigen es nicht richtig an.",
    links_stop="Alle Links dazu werden ungültig.",
    revoke_ellipsis="Links widerrufen …",
    revoke_hint=(
        "Alle bisher weitergegebenen Links zu diesem Foto werden ungültig. Bereits gespeicherte"
        " Kopien lassen sich nicht zurückholen."
    ),
    revoke="Alle Links widerrufen",
    delete_ellipsis="Löschen …",
    moves_to_trash=lambda days: (
        f"Das Foto kommt in den Papierkorb und wird nach {_days(days)} endgültig gelöscht."
    ),
    deletes_for_good="Das Foto wird endgültig gelöscht.",
    delete_photo="Dieses Foto löschen",
    trash="Papierkorb",
    trash_hint=lambda days: (
        f"Gelöschte Fotos bleiben hier und werden nach {_days(days)} endgültig gelöscht. Alle Links"
        " zu ihnen sind ungültig; ein wiederhergestelltes Foto bekommt neue."
    ),
    revoking=(
        "Der Fotospeicher ist nicht erreichbar oder voll. Deshalb funktionieren manche alten Links"
        " noch, bis er wieder verfügbar ist."
    ),
    deleted_on=lambda date: f"Wird am {date} endgültig gelöscht",
    restore="Wiederherstellen",
    delete_for_good="Endgültig löschen",
    delete_for_good_ellipsis="Endgültig löschen …",
    cannot_be_undone="Das lässt sich nicht rückgängig machen.",
    empty_trash="Papierkorb leeren",
    empty_trash_ellipsis="Papierkorb leeren …",
    empty_trash_hint=(
        "Alle Fotos im Papierkorb werden endgültig gelöscht. Das lässt sich nicht rückgängig"
        " machen."
    ),
    trash_is_empty="Der Papierkorb ist leer.",
    no_older_in_trash="Im Papierkorb sind keine älteren Fotos.",
    sign_in="Anmelden",
    sign_in_hint=Markup(
        "Zum Anmelden dient das Zugangstoken. Der Befehl <code>safelight token show</code> auf dem"
        " Server zeigt es an."
    ),
    token="Token",
    sign_in_here="Auf diesem Gerät anmelden",
    link_works_once="Dieser Link funktioniert einmal, auf einem Gerät.",
    link_is_used=(
        "Dieser Link wurde schon verwendet oder ist abgelaufen. Bitte stattdessen mit dem Token"
        " anmelden."
    ),
    token_is_wrong="Dieses Token ist nicht gültig.",
    sign_out="Abmelden",
    devices="Angemeldete Geräte",
    device=lambda browser, system: " auf ".join(
        filter(None, (browser or "Unbekannter Browser", system))
    ),
    this_browser="dieser Browser",
    seen_at="Zuletzt gesehen: {}.",
    signed_in_at="Angemeldet: {}, von {}.",
    no_devices="Kein Browser ist angemeldet.",
    error="Fehler",
    something_went_wrong="Etwas ist schiefgegangen",
    back="Zurück zu den Fotos",
    gallery_description="Die eigenen Fotos.",
    needs_javascript=Markup(
        'Die Galerie braucht JavaScript. <a href="{}">Die einfache Seite</a> kommt ohne aus.'
    ),
    not_built="Nicht gebaut",
    gallery_not_built="Die Galerie ist noch nicht gebaut",
    build_gallery=Markup(
        "<code>make gallery</code> im Quellverzeichnis ausführen und Safelight neu starten. Bis"
        ' dahin hilft <a href="{}">die einfache Seite</a>.'
    ),
    too_large=lambda limit: f"Dieses Foto ist zu groß. Erlaubt sind höchstens {limit}.",
    too_large_here=lambda limit, direct: (
        f"Dieses Foto ist zu groß. Hier sind höchstens {limit} erlaubt, in der Galerie {direct}."
    ),
    problems={
        "error": "Etwas ist schiefgegangen.",
        "unauthenticated": "Dafür ist eine Anmeldung nötig.",
        "forbidden_origin": "Änderungen sind nur von den eigenen Seiten aus erlaubt.",
        "Photos can only be shared with the installed app. Open it, then share them again.": (
            "Fotos lassen sich nur mit der installierten App teilen. Bitte die App öffnen und die"
            " Fotos noch einmal teilen."
        ),
        "unknown_host": (
            "Dieser Hostname ist nicht eingerichtet. Er gehört in SAFELIGHT_ALLOWED_HOSTS."
        ),
        "not_found": "Das gibt es nicht oder nicht mehr.",
        "There is nothing at this address.": "Unter dieser Adresse gibt es nichts.",
        "There is no such photo.": "Dieses Foto gibt es nicht oder nicht mehr.",
        "There is no such album.": "Dieses Album gibt es nicht oder nicht mehr.",
        "This photo is not in the trash.": "Dieses Foto ist nicht im Papierkorb.",
        "method_not_allowed": "Diese Adresse lässt sich so nicht aufrufen.",
        "too_many_attempts": (
            "Zu viele fehlgeschlagene Anmeldungen. Bitte eine Minute bis zum nächsten Versuch"
            " warten."
        ),
        "too_many_uploads": (
            "Zu viele Uploads sind offen. Bitte einige abschließen oder abbrechen, oder warten, bis"
            " sie verfallen."
        ),
        "upload_incomplete": "Ein Teil der Daten fehlt. Bitte noch einmal hochladen.",
        "range_not_satisfiable": (
            "Der angeforderte Teil liegt hinter dem Ende der Datei. Bitte von vorn herunterladen."
        ),
        "request_timeout": "Das Hochladen ist stecken geblieben. Bitte noch einmal versuchen.",
        "Give the album a title.": "Das Album braucht einen Titel.",
        "The form has no photo. Send it in a field named 'photo'.": "Bitte ein Foto auswählen.",
        "The form has two photos. Send one at a time.": "Bitte nur ein Foto auf einmal hochladen.",
        "The form is incomplete. Send it again.": (
            "Das Formular ist unvollständig angekommen. Bitte noch einmal senden."
        ),
        "unsupported_type": (
            "Dieses Format wird nicht unterstützt. Möglich sind JPEG, PNG, GIF, WebP, AVIF und"
            " HEIC."
        ),
        "empty_file": "Die Datei ist leer.",
        "corrupt_image": "Dieses Foto ist beschädigt und lässt sich nicht lesen.",
        "This photo takes too long to decode.": "Dieses Foto zu lesen dauert zu lange.",
        "too_many_pixels": "Dieses Foto hat zu viele Pixel.",
        "too_many_frames": "Diese Animation hat zu viele Bilder.",
        "checksum_mismatch": "Die Daten sind verändert angekommen. Bitte noch einmal hochladen.",
        "busy": f"Gerade ist zu viel zu tun. {_RETRY_SOON}",
        "storage_unavailable": f"Der Fotospeicher antwortet nicht. {_RETRY_SOON}",
        "catalog_unavailable": f"Die Datenbank antwortet nicht. {_RETRY_SOON}",
        "storage_full": (
            "Es ist kein Speicherplatz mehr frei. Bitte später noch einmal versuchen."
        ),
    },
)
