"""The baseline: photos in S3 behind FastAPI, as commonly taught by tutorials.

It uses SQLAlchemy's ORM with a session per request, a boto3 client, `UploadFile` passed to
`upload_fileobj`, and a page that signs each row's link with `generate_presigned_url`. It has no
authentication, and checks nothing.
"""

import os
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import boto3
from botocore.config import Config
from fastapi import Depends, FastAPI, Form, UploadFile
from pydantic import BaseModel
from sqlalchemy import create_engine, func
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

BUCKET = os.environ["S3_BUCKET"]

engine = create_engine(os.environ["DATABASE_URL"])
SessionLocal = sessionmaker(bind=engine)
s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["S3_ENDPOINT_URL"],
    region_name="us-east-1",
    aws_access_key_id=os.environ["S3_ACCESS_KEY"],
    aws_secret_access_key=os.environ["S3_SECRET_KEY"],
    config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
)


class Base(DeclarativeBase):
    pass


class Photo(Base):
    __tablename__ = "photos"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    description: Mapped[str]
    content_type: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PhotoOut(BaseModel):
    id: int
    photo_url: str
    title: str
    description: str


Base.metadata.create_all(bind=engine)
app = FastAPI()


def get_db() -> Iterator[Session]:
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


Db = Annotated[Session, Depends(get_db)]


def shown(photo: Photo) -> PhotoOut:
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": photo.key}, ExpiresIn=3600
    )
    return PhotoOut(id=photo.id, photo_url=url, title=photo.title, description=photo.description)


@app.get("/api/photos")
def list_photos(db: Db, skip: int = 0, limit: int = 100) -> list[PhotoOut]:
    photos = db.query(Photo).order_by(Photo.id.desc()).offset(skip).limit(limit).all()
    return [shown(photo) for photo in photos]


@app.post("/api/photos", status_code=201)
def add_photo(
    db: Db,
    photo: UploadFile,
    title: Annotated[str, Form()] = "",
    description: Annotated[str, Form()] = "",
) -> PhotoOut:
    key = f"photos/{uuid.uuid4()}-{photo.filename}"  # our store's keys may write there alone
    kind = photo.content_type or "application/octet-stream"
    s3.upload_fileobj(photo.file, BUCKET, key, ExtraArgs={"ContentType": kind})
    row = Photo(key=key, title=title, description=description, content_type=kind)
    db.add(row)
    db.commit()
    db.refresh(row)
    return shown(row)
