#pragma once
#include "repartee/api/services.hpp"
#include "repartee/net/http_server.hpp"

namespace repartee::api {

/// Answers any request: the whole HTTP face. `services` outlives every session it starts.
awaitable<net::Reply> handle(Services& services, net::Request request);

/// Answers any request on a connection that is one too many: 503 and Retry-After.
awaitable<net::Reply> refuse_connection(const Shared& shared);

/// Decides from a request's header how much body it may send: recordings more than others, within what all uploads together may be, and only for
/// who may ask. `shared` outlives it. Thread-safe.
net::BodyGate upload_gate(Shared& shared);

}  // namespace repartee::api
