"""What goes over the wire, as values: a request as it came, an answer as the original would give it."""
import dataclasses
import email.parser
import email.policy
import json


class Malformed(Exception):
    """The client broke the rules of HTTP: it is told so, and the test reads it in `broken`."""


@dataclasses.dataclass
class Part:
    """One part of a form."""
    name: str
    file_name: str | None
    content_type: str
    content: bytes


@dataclasses.dataclass
class Request:
    """One request as it came; times are of time.monotonic()."""
    method: str
    path: str
    query: str
    headers: dict  # names in lower case
    body: bytes
    connection: int  # requests with the same number came over the same connection
    came: float
    answered: float | None = None  # the first byte of the answer was sent
    ended: float | None = None  # the answer was sent to its end, or to where it was to break off
    aborted: float | None = None  # the client left before that

    def json(self):
        return json.loads(self.body)

    def form(self):
        """The parts of multipart/form-data by name, read by another parser than the one that is tested."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + self.body)
        if message.defects or not message.is_multipart():
            raise Malformed(f"a broken form: {message.defects}")
        parts = {}
        for part in message.iter_parts():
            name = part.get_param("name", header="content-disposition")
            parts[name] = Part(name, part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
        return parts

    def fields(self):
        """The plain fields of a form as text."""
        return {name: part.content.decode() for name, part in self.form().items() if part.file_name is None}


@dataclasses.dataclass
class Answer:
    """A faithful answer, in the pieces in which the original would send it."""
    pieces: list
    content_type: str = "application/json"
    status: int = 200
    headers: dict = dataclasses.field(default_factory=dict)
    streamed: bool = True  # chunked; else with Content-Length
    error: bytes | None = None  # how the original tells of an error amid this answer; None: it only cuts
    filler: bytes | None = None  # a piece that may be repeated for ever
