#pragma once
#include "repartee/engine/realtime_server.hpp"
#include "repartee/engine/reply.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/providers/roles.hpp"
#include "repartee/upstream/upstream.hpp"

#include <memory>
#include <string>

namespace repartee::engine {

/// Who speaks in a local session, and with which services. Shared by the turns of that session.
struct LocalRoles {
    providers::Roles services;
    std::string language = "ko";  ///< of what is heard and said; empty: not known
    double pitch = 1.0, speed = 1.0;
    std::string voice_id{};                             ///< the character's own voice (Character::voice_id); empty: the session's voice
    providers::Choice stt_choice{}, llm_choice{}, tts_choice{};
    std::shared_ptr<const providers::Script> script{};  ///< for the embedded brain
};

struct LocalSettings {
    std::string model = "repartee-local";
    bool transcription_only = false;
    std::size_t reply_chars_max = 4'000;
    std::int64_t context_tokens_max = 12'000;  ///< of a prompt, by estimate: older turns are left out
    PieceRules pieces;
    std::size_t pieces_ahead = 1;              ///< ReplyPlan::ahead
    milliseconds turn_limit{45'000};           ///< from the turn's end, transcript included, to the first word or sound of the reply
    std::function<void(const Error&)> on_turn_failed{};  ///< for the log and /metrics
    std::size_t pending_events_max = 4'096;  ///< not yet received ones; a reply waits while there are more
    std::size_t pending_bytes_max = 16 << 20;  ///< the same in bytes; the client's next event waits while there are more
    ServerLimits limits;
};

/// The in-process Realtime service: RealtimeServer, a queue, and the turns that speech → text → answer → speech take.
class LocalUpstream final : public upstream::Upstream {
public:
    LocalUpstream(asio::any_io_executor executor, std::string voice, std::string instructions, LocalRoles roles, const LocalSettings& settings);
    ~LocalUpstream() override;

    Task<std::string_view> receive() override;
    std::optional<std::string_view> try_receive() override;
    awaitable<bool> wait_event() override;
    void cancel_receive() override;
    Result<void> post(std::string_view event) override;
    Result<void> post_audio(std::span<const std::byte> first, std::span<const std::byte> second) override;
    std::size_t unsent_bytes() const override;
    Task<> sent() override;
    awaitable<void> close() override;
    std::string_view peer_name() const override { return "local"; }

private:
    struct State;
    std::shared_ptr<State> state_;
};

/// Gives every conversation a LocalUpstream of its own. `make_roles` chooses the services for a character (null: none).
class LocalSource final : public upstream::Source {
public:
    using MakeRoles = std::function<LocalRoles(const characters::Character*)>;
    LocalSource(asio::any_io_executor executor, LocalSettings settings, MakeRoles make_roles);

    Task<upstream::Lease> lease(upstream::LeaseRequest request) override;
    bool is_ready() const override { return true; }
    awaitable<void> stop() override;

private:
    asio::any_io_executor executor_;
    LocalSettings settings_;
    MakeRoles make_roles_;
};

}  // namespace repartee::engine
