#pragma once
#include "repartee/base/json.hpp"
#include "reply_stream.hpp"
#include "upstream_config.hpp"
#include "ws_connection.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::bench {

/// One connection to the upstream: a slim Realtime service.
class UpstreamSession final : private WsHandler {
public:
    UpstreamSession(EventLoop& loop, std::unique_ptr<Socket> socket, const UpstreamConfig& config, UpstreamCounts& counts,
                    std::function<void(UpstreamSession&)> on_end);

    void close(std::uint16_t code) { connection_.close(code); }

private:
    void on_open(std::string_view target) override;
    void on_text(std::string_view text) override;
    void on_binary(std::span<const std::byte>) override;
    void on_drained() override;
    void on_closed(std::uint16_t code, const std::string& why) override;

    void take_audio(std::string_view base64);
    void echo(std::string_view base64);
    void take_event(std::string_view text);
    void update_session(const json::object& event);
    void commit(std::string_view event_id);
    void create_response(std::string_view event_id);
    void truncate(const json::object& event, std::string_view event_id);
    void on_microphone(const FrameTag& tag);
    void start_reply();
    void add_user_item();
    void refuse(std::string_view code, std::string_view message, std::string_view event_id);
    void check_microphone();
    std::int64_t microphone_ms() const;

    struct SpokenItem {
        std::string id;
        std::int64_t sent_ms;
    };

    WsConnection connection_;
    UpstreamConfig config_;
    UpstreamCounts& counts_;
    std::function<void(UpstreamSession&)> on_end_;

    json::object session_;
    std::optional<DeltaWriter> echo_;
    ReplyIds echo_ids_;

    FrameChecker microphone_;
    Integrity reported_;
    std::uint32_t frames_ = 0, last_frame_ = 0;
    bool uncommitted_ = false;
    int silent_frames_ = 0;
    bool speaking_ = false;
    std::string user_item_id_, last_item_id_;
    std::deque<SpokenItem> spoken_;
    ReplyStream reply_;
};

}  // namespace repartee::bench
