#pragma once
#include "delta_writer.hpp"
#include "event_loop.hpp"
#include "upstream_config.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace repartee::bench {

/// One reply after another: its events, its audio delta by delta as fast as configured, and its end.
class ReplyStream {
public:
    ReplyStream(EventLoop& loop, WsConnection& to, const UpstreamConfig& config, UpstreamCounts& counts);

    /// Not while one is running. `session` and `cause` go into the audio, for the client to check.
    void begin(std::uint32_t session, std::uint32_t cause, const std::string& previous_item_id);
    void cancel(ReplyEnd how);
    bool running() const { return delta_.has_value(); }
    void on_drained();

    const std::string& item_id() const { return ids_.item; }
    /// Of the reply that runs or ran last.
    std::int64_t sent_ms() const;

private:
    void send_due();
    void send_delta();
    void end(ReplyEnd how);
    std::uint32_t cells_a_delta() const;

    EventLoop& loop_;
    WsConnection& to_;
    const UpstreamConfig& config_;
    UpstreamCounts& counts_;
    Timer timer_;

    ReplyIds ids_;
    std::optional<DeltaWriter> delta_;
    FrameTag tag_{Stream::reply};
    std::uint32_t replies_ = 0, cells_sent_ = 0;
    std::int64_t begun_ns_ = 0;
};

}  // namespace repartee::bench
