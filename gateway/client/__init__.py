"""客户端 What a court or an agency uses to speak to the gateway, in ten lines:

    key = SigningKey.load_pem(Path("court.pem").read_bytes(), "cn/court/520100")
    client = Client(url="https://gateway.example", key=key, gateway="cn/gateway/520000",
                    gateway_keys=keys, journal=Journal(Path("journal.sqlite")), clock=lambda: datetime.now(UTC))
    sent = client.send("referral.submitted", data, subject="r-1", effect="r-1")   # signed receipt, proven
    for message in client.inbox(wait=20):                                        # proven messages of the gateway
        client.answer(message, "handoff.disposition", body)
    client.commit(now).is_whole                                                  # nothing is missing on either side

Rules: what is sent is journalled first; one effect is one message for ever, whatever is called how often (Law 2); an
outcome that is not known raises `PartnerUnreachable`, and the next call sends the same bytes (Law 3).
"""

from gateway.client.client import Client
from gateway.client.completeness import Reckoning
from gateway.client.journal import Journal
from gateway.client.recovery import GivenBack
from gateway.client.values import Outgoing, Refused, Sent

__all__ = ["Client", "GivenBack", "Journal", "Outgoing", "Reckoning", "Refused", "Sent"]
