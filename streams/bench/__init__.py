"""The measurements of `deskwatch bench`, and their inputs. Every figure comes from Kafka and the operating system."""
