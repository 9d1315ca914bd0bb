"""Photos in a Flask app: run ``python examples/flask_app.py``.

`SyncLibrary` has the methods of `Library`, and blocks. It starts with the first request, so that
each worker of a server such as Gunicorn has its own.
"""

from flask import Flask, abort, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from safelight import Caption, Photo, SafelightError, Settings, SyncLibrary

library = SyncLibrary.from_settings(Settings())
app = Flask(__name__)


def current_user_id() -> str:
    """Return the user of the request; your app verifies a session."""
    user = request.headers.get("X-User", "")
    return user if user in {"ada", "grace"} else abort(401)


@app.get("/photos")
def list_photos() -> Response:
    """Return the newest photos."""
    page = library.list_photos(current_user_id(), limit=20)
    return jsonify([to_json(photo) for photo in page.photos])


@app.post("/photos")
def add_photo() -> ResponseReturnValue:
    """Add the photo in the form field ``photo``."""
    owner, file = current_user_id(), request.files["photo"]
    caption = Caption(title=request.form.get("title", ""), filename=file.filename or "")
    added = library.add(owner, file, caption)
    return jsonify(to_json(added.photo)), 201 if added.created else 200


@app.get("/photos/<int:id_>")
def show_photo(id_: int) -> Response:
    """Redirect to the photo; the link expires."""
    return redirect(library.link(library.photo(current_user_id(), id_)).url)


@app.delete("/photos/<int:id_>")
def delete_photo(id_: int) -> ResponseReturnValue:
    """Delete a photo; its links stop working."""
    library.delete(current_user_id(), id_)
    return "", 204


@app.errorhandler(SafelightError)
def show_error(error: SafelightError) -> ResponseReturnValue:
    """Answer with the error's code; its text is fit for users."""
    return jsonify(code=error.code, message=str(error)), error.status


def to_json(photo: Photo) -> dict[str, str | int]:
    """Return what the app's clients see of a photo."""
    return {"id": photo.id, "title": photo.title, "url": library.link(photo).url}


if __name__ == "__main__":
    app.run(port=8002)
