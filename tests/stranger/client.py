#!/usr/bin/env python3
"""A client that knows nothing of stagedoor but its address: everything else it learns by server reflection.

    client.py HOST:PORT [unix:/path]

Lists the services, calls Check, BatchCheck, CheckStream, Explain and GetServerInfo of the demo studio with messages made
from the reflected descriptors, and asks the standard health client. Ends with 1 when anything is not as it must be.
"""

import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "stagedoor.v1.Authorization"
failures = []


def expect(what, found, wanted):
    good = found == wanted
    shown = repr(found) if len(repr(found)) < 80 or not good else f"{len(found)} of them"
    print(f"{'ok  ' if good else 'FAIL'} {what}: {shown}" + ("" if good else f", not {wanted!r}"))
    if not good:
        failures.append(what)


class Stranger:
    """Calls methods by name, with messages as plain dictionaries."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)
        self.service = self.pool.FindServiceByName(SERVICE)

    def _method(self, name):
        method = self.service.FindMethodByName(name)
        request = message_factory.GetMessageClass(method.input_type)
        response = message_factory.GetMessageClass(method.output_type)
        return request, response, f"/{SERVICE}/{name}"

    def call(self, name, question, **options):
        request, response, path = self._method(name)
        call = self.channel.unary_unary(
            path, request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        return json_format.MessageToDict(call(json_format.ParseDict(question, request()), **options))

    def stream(self, name, questions):
        request, response, path = self._method(name)
        call = self.channel.stream_stream(
            path, request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        for answer in call(json_format.ParseDict(question, request()) for question in questions):
            yield json_format.MessageToDict(answer)


def question(person, **more):
    return {
        "subject": {"id": person},
        "action": {"name": "comment"},
        "resource": {"type": "task", "id": "sh010-animation"},
        **more,
    }


def status_of(call):
    try:
        call()
        return "OK", ""
    except grpc.RpcError as error:
        return error.code().name, error.details()


def examine(address):
    print(f"-- {address}")
    stranger = Stranger(address)

    services = set(stranger.database.get_services())
    for name in (SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"):
        expect(f"lists {name}", name in services, True)
    methods = {method.name for method in stranger.service.methods}
    expect("methods", {"Check", "BatchCheck", "CheckStream", "Explain", "GetServerInfo"} <= methods, True)

    answer = stranger.call("Check", question("bo", correlationId="c1"))
    expect("Check allows", answer["decision"], "DECISION_ALLOW")
    expect("Check says why", answer["reason"]["code"], "REASON_CODE_GRANTED")
    expect("Check echoes", answer["correlationId"], "c1")
    expect("Check proves its freshness", {"revision", "asOf", "age"} <= answer["freshness"].keys(), True)
    expect("Check denies", stranger.call("Check", question("lin"))["reason"]["code"], "REASON_CODE_NO_GRANT")

    code, details = status_of(lambda: stranger.call("Check", {}))
    expect("a bad request", (code, details), ("INVALID_ARGUMENT", "subject: is missing or empty"))
    never = question("bo", consistency={"atLeastRevision": "1000000000"})
    code, _ = status_of(lambda: stranger.call("Check", never, timeout=0.3))
    expect("a deadline", code, "DEADLINE_EXCEEDED")
    code, _ = status_of(lambda: list(stranger.stream("ListSubjects", [{}])))
    expect("a later call", code, "UNIMPLEMENTED")
    asked = {"subject": {"id": "bo"}, "resource": {"type": "task", "id": "sh010-animation"}, "includeDenied": True}
    listed = {entry["action"]["name"]: entry["decision"] for entry in stranger.call("ListActions", asked)["actions"]}
    expect("ListActions", (listed["comment"], listed["delete"]), ("DECISION_ALLOW", "DECISION_DENY"))

    batch = stranger.call("BatchCheck", {"items": [question("bo"), {}, question("lin")]})
    decisions = [result["decision"] for result in batch["results"]]
    expect("BatchCheck", decisions, ["DECISION_ALLOW", "DECISION_DENY", "DECISION_DENY"])
    expect("BatchCheck's bad item", batch["results"][1]["error"]["code"], 3)

    people = ["bo", "lin", "pavel"] * 50
    answers = list(stranger.stream("CheckStream", (question(who, correlationId=str(at)) for at, who in enumerate(people))))
    expect("CheckStream's order", [answer["correlationId"] for answer in answers], [str(at) for at in range(150)])
    expect("CheckStream's decisions", [a["decision"] == "DECISION_ALLOW" for a in answers], [p == "bo" for p in people])

    explained = stranger.call("Explain", question("lin"))
    expect("Explain has steps", bool(explained["steps"]), True)
    expect("Explain has grants", bool(explained["wouldAllow"]), True)

    info = stranger.call("GetServerInfo", {})
    expect("GetServerInfo", (info["tracker"], info["limits"]["batchItems"]), ("kitsu", 10000))

    health = health_pb2_grpc.HealthStub(stranger.channel)
    for service in ("", "loaded", "fresh"):
        status = health.Check(health_pb2.HealthCheckRequest(service=service)).status
        expect(f"health {service!r}", status, health_pb2.HealthCheckResponse.SERVING)
    code, _ = status_of(lambda: health.Check(health_pb2.HealthCheckRequest(service="other")))
    expect("health of another service", code, "NOT_FOUND")
    first = next(iter(health.Watch(health_pb2.HealthCheckRequest(service="fresh"), timeout=5)))
    expect("health watched", first.status, health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for address in sys.argv[1:]:
        examine(address)
    print(f"{len(failures)} failed" if failures else "all as it must be")
    sys.exit(1 if failures else 0)
