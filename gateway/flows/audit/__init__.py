"""核对 The log held against the rows, and the rows against the signed bytes they were made from; reads only."""
