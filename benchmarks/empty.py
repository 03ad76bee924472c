"""What the product's web server is compared with: a Flask application that reads a POST and says 202, and does nothing else."""

from flask import Flask, Response, request

app = Flask("empty")


@app.post("/webhooks/<source>")
def receive(source: str) -> Response:
    """The body is read, as any server must; nothing is done with it."""
    request.get_data(cache=False)
    return Response(f'{{"status": "accepted", "source": "{source}"}}', 202, content_type="application/json")
