"""报文结构 The wire shapes: one module per message body, in marshmallow and nothing else."""
