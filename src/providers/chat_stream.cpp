#include "chat_stream.hpp"

#include <boost/asio/this_coro.hpp>

namespace repartee::providers {
namespace {

// Behind the last word come the counts of tokens, and they come at once; some services leave the connection open instead.
constexpr milliseconds tail_limit{1'000};

Error stopped() { return Error{Code::cancelled, "The answer was stopped."}; }

}  // namespace

Task<ChatResult> read_chat(net::HttpAnswer& answer, ChatFraming& framing, ChatReader& reader, const HttpEndpoint& endpoint, ChatSink sink,
                           StopAfter& stop)
{
    const auto executor = co_await asio::this_coro::executor;
    bool tail_is_late = false;
    const auto end_tail = [&stop, &tail_is_late] {
        if (stop.token().stop_requested()) return;
        tail_is_late = true;
        stop.request_stop();
    };
    std::optional<net::Deadline> tail;
    const auto hand_on = [&sink](const ChatDelta& delta) {
        if (!delta.text.empty() && sink.text) sink.text(delta.text);
        for (const ToolCall& call : delta.calls)
            if (sink.call) sink.call(call);
    };
    const ChatFraming::OnDelta on_delta = std::cref(hand_on);
    while (!reader.ended()) {
        const auto piece = co_await answer.read();
        if (tail_is_late) break;
        if (stop.token().stop_requested()) co_return stopped();
        if (!piece) {
            // All was said, and only the connection's own end is missing.
            if (reader.finished()) break;
            co_return endpoint.told(piece.error());
        }
        const bool at_end = piece->empty();
        const auto fed = at_end ? framing.finish(reader, on_delta) : framing.feed(*piece, reader, on_delta);
        if (!fed) co_return endpoint.told(fed.error());
        // The sink may have stopped us.
        if (stop.token().stop_requested()) co_return stopped();
        if (at_end) break;
        if (reader.finished() && !tail) tail.emplace(executor, tail_limit, end_tail);
    }
    tail.reset();
    const auto rest = reader.finish();
    if (!rest) co_return rest.error();
    hand_on(*rest);
    co_await drain(answer, stop);
    co_return reader.result();
}

}  // namespace repartee::providers
