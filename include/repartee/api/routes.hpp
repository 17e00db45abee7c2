#pragma once
#include "repartee/api/services.hpp"
#include "repartee/net/http_server.hpp"

namespace repartee::api {

/// Answers any request: the whole HTTP face. `services` outlives every session it starts.
awaitable<net::Reply> handle(Services& services, net::Request request);

/// Answers any request on a connection that is one too many: 503 and Retry-After.
awaitable<net::Reply> refuse_connection(const Shared& shared);

}  // namespace repartee::api
