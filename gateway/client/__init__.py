"""客户端 The SDK a court or an agency uses; what it promises stands in `client`, what it remembers in `journal`.

from gateway.client import Client, Journal
client = Client(url="https://gateway.example", key=SigningKey.load_pem(pem, "cn/court/520100"),
                gateway="cn/gateway/520000", gateway_keys=keys, journal=Journal("journal.sqlite"))
sent = client.send("referral.submitted", data, subject="r-1", effect="referral.submitted:r-1")
sent.receipt, sent.warnings, sent.holds            # PartnerUnreachable: run it again, the same bytes go
for result in client.send_many(outgoing):          # Sent or Refused, in order
    ...
for message in client.inbox(wait=20):              # an agency's mailbox
    client.answer(message, "handoff.retrieved", {})
"""

from gateway.client.client import Client
from gateway.client.journal import Journal
from gateway.client.outcome import Outgoing, Refused, Sent

__all__ = ["Client", "Journal", "Outgoing", "Refused", "Sent"]
