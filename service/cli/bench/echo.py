"""The yardstick of `latcast bench serve`: an application of the same framework that reads JSON and sends it back."""

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

__all__ = ["app", "serve_echo"]

app = FastAPI()


@app.post("/echo")
async def echo(request: Request) -> JSONResponse:
    """The body, parsed and written again."""
    return JSONResponse(await request.json())


def serve_echo(port: int) -> None:
    """Serve on loopback until the process is ended."""
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    import sys

    serve_echo(int(sys.argv[1]))
