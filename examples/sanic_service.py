"""A Sanic service behind bearer tokens: ISSUER=https://login.example/ python examples/sanic_service.py."""

import os

from sanic import Sanic, json

from bearward import TrustedIssuer, Verifier, authenticated, requires, scope
from bearward_sanic import install

app = Sanic("orders")
install(app, Verifier(TrustedIssuer(os.environ["ISSUER"], audience="https://api.example")), default=authenticated)


@app.get("/orders")
@requires(scope("orders:read"))
async def orders(request):
    return json({"for": request.ctx.principal.subject})


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ.get("PORT", "8000")), single_process=True)
