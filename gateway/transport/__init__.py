"""传输 How signed bytes reach a partner: pushed over HTTP, or fetched from a mailbox."""
