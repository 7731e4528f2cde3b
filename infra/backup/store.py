"""The buckets' objects as a tar stream, with the metadata that DREAM reads; save and restore run it in a Pod.

python store.py save > store.tar
python store.py restore < store.tar      # what is there and is not in the archive stays
"""

import io
import json
import os
import sys
import tarfile

import boto3

if not os.environ.get("AWS_ENDPOINT_URL"):  # AWS itself
    os.environ.pop("AWS_ENDPOINT_URL", None)

BUCKETS = ("dream", "mlflow")
METADATA = "dream.metadata"


def save(out):
    """Write every object of the buckets."""
    client = boto3.client("s3")
    count = 0
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for bucket in BUCKETS:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for listed in page.get("Contents", ()):
                    stored = client.get_object(Bucket=bucket, Key=listed["Key"])
                    entry = tarfile.TarInfo(f"{bucket}/{listed['Key']}")
                    entry.size = stored["ContentLength"]
                    entry.mtime = stored["LastModified"].timestamp()
                    entry.pax_headers = {METADATA: json.dumps(stored["Metadata"])}
                    archive.addfile(entry, stored["Body"])
                    count += 1
    return count


def restore(source):
    """Put every object of an archive back."""
    client = boto3.client("s3")
    count = 0
    with tarfile.open(fileobj=source, mode="r|") as archive:
        for entry in archive:
            bucket, _, key = entry.name.partition("/")
            metadata = json.loads(entry.pax_headers.get(METADATA, "{}"))
            content = io.BytesIO(archive.extractfile(entry).read())
            client.put_object(Bucket=bucket, Key=key, Body=content, Metadata=metadata)
            count += 1
    return count


if __name__ == "__main__":
    number = save(sys.stdout.buffer) if sys.argv[1] == "save" else restore(sys.stdin.buffer)
    print(f"{number} objects", file=sys.stderr)
