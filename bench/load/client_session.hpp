#pragma once
#include "load_config.hpp"
#include "load_stats.hpp"
#include "server_address.hpp"
#include "session_work.hpp"
#include "ws_connection.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace repartee::bench {

/// One client: opens a WebSocket in one of the dialects, waits until the session is live, and lets its work speak and listen.
class ClientSession final : private WsHandler, private ClientPort {
public:
    /// Begins to connect. `id` is not 0. `tls` null: plain.
    ClientSession(EventLoop& loop, const LoadConfig& config, const ServerAddress& server, SSL_CTX* tls, std::uint32_t id, LoadStats& stats);

    bool is_live() const { return live_ns_ != 0 && !ended_; }
    bool has_ended() const { return ended_; }
    std::int64_t begun_ns() const { return connection_->times().begun_ns; }
    /// Why it ended, for a session that was not asked to.
    const std::string& failure() const { return failure_; }

    SessionWork& work() { return *work_; }
    /// Ends it as a failure.
    void give_up(const std::string& why);
    void close();

private:
    void on_open(std::string_view) override;
    void on_text(std::string_view text) override;
    void on_binary(std::span<const std::byte> bytes) override;
    void on_closed(std::uint16_t code, const std::string& why) override;
    void send_audio(std::span<const std::byte> pcm) override;
    void send_event(std::string_view json) override;

    void take_delta(std::string_view text);
    void opening_event(std::string_view type);
    void became_live();
    void report_error(std::string_view text);

    const LoadConfig& config_;
    LoadStats& stats_;
    std::uint32_t id_;
    std::unique_ptr<WsConnection> connection_;
    std::unique_ptr<SessionWork> work_;
    std::int64_t created_ns_ = 0, live_ns_ = 0;
    bool closing_ = false, ended_ = false;
    std::string failure_;
};

}  // namespace repartee::bench
