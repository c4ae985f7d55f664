"""What `deskwatch bench` measures, how, and on which input. Every figure comes from Kafka and the operating system."""
