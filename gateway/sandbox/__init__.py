"""模拟环境 Simulated courts and agencies that speak only the wire, to demonstrate and to test against."""
