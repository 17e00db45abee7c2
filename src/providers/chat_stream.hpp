#pragma once
#include "chat_json.hpp"
#include "http_endpoint.hpp"
#include "repartee/providers/stop_after.hpp"

#include <functional>

namespace repartee::providers {

/// Bytes as they come → deltas, in the form one kind of service has.
class ChatFraming {
public:
    using OnDelta = std::function<void(const ChatDelta&)>;
    virtual ~ChatFraming() = default;
    virtual Result<void> feed(std::string_view bytes, ChatReader& reader, const OnDelta& on_delta) = 0;
    /// Behind the last byte.
    virtual Result<void> finish(ChatReader& reader, const OnDelta& on_delta) = 0;
};

/// Reads a streamed answer to its end and hands it on as it comes.
Task<ChatResult> read_chat(net::HttpAnswer& answer, ChatFraming& framing, ChatReader& reader, const HttpEndpoint& endpoint, ChatSink sink,
                           StopAfter& stop);

}  // namespace repartee::providers
