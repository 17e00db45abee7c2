#pragma once
#include "load_config.hpp"
#include "load_stats.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace repartee::bench {

/// What a session's work may do with its connection; the dialect is the port's affair.
class ClientPort {
public:
    virtual void send_audio(std::span<const std::byte> pcm) = 0;
    virtual void send_event(std::string_view json) = 0;

protected:
    ~ClientPort() = default;
};

/// What one session does once it is live.
class SessionWork {
public:
    virtual ~SessionWork() = default;
    /// A frame of the microphone is due.
    virtual void tick(std::int64_t due_ns) = 0;
    virtual void on_audio(std::span<const std::byte> pcm, std::int64_t now) = 0;
    virtual void on_event(std::string_view type, std::string_view text, std::int64_t now) = 0;
    /// The realtime dialect's audio is about to come from this item.
    virtual void on_item(std::string_view) {}
    /// No more ticks come for now.
    virtual void pause() {}
    /// Everything that was sent has been answered.
    virtual bool settled() const = 0;
    /// What has not come by now is lost.
    virtual void finish() = 0;
};

std::unique_ptr<SessionWork> make_echo_work(const LoadConfig& config, std::uint32_t session, ClientPort& port, LoadStats& stats);
std::unique_ptr<SessionWork> make_burst_work(const LoadConfig& config, std::uint32_t session, ClientPort& port, LoadStats& stats);
std::unique_ptr<SessionWork> make_talk_work(const LoadConfig& config, std::uint32_t session, ClientPort& port, LoadStats& stats);

}  // namespace repartee::bench
