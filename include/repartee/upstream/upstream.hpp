#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/characters/character.hpp"
#include "repartee/net/awaitable.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace repartee::upstream {

/// Anything that speaks Realtime as a server: a WebSocket to OpenAI, or the local engine. A conversation cannot tell them apart.
/// All calls on one executor; one receive() outstanding at a time; posts leave in call order.
class Upstream {
public:
    virtual ~Upstream() = default;
    /// The next server event as JSON text, valid until the next one is. The first is session.created.
    /// Code::closed when it ended; Code::upstream_rejected when it ended for good (bad key, unknown model).
    virtual Task<std::string_view> receive() = 0;
    /// The same without waiting: an event that has come, else nothing. Then await wait_event() and try again, or, when that says false, receive():
    /// the session ends, and receive() tells why.
    virtual std::optional<std::string_view> try_receive() = 0;
    virtual awaitable<bool> wait_event() = 0;
    /// Ends a receive() (Code::cancelled) or wait_event() that is outstanding, and nothing else: no event is lost.
    virtual void cancel_receive() = 0;
    /// Queues one client event, which leaves at once when it can. Nothing bounds the queue but the caller: look at unsent_bytes(), await sent().
    virtual Result<void> post(std::string_view event) = 0;
    /// 24 kHz PCM16 as one append event; it lies in two parts (a ring's).
    virtual Result<void> post_audio(std::span<const std::byte> first, std::span<const std::byte> second) = 0;
    /// What the upstream has not taken yet.
    virtual std::size_t unsent_bytes() const = 0;
    /// Ends when all that was posted before has been taken.
    virtual Task<> sent() = 0;
    /// Orderly, bounded end. An outstanding receive() ends with Code::closed.
    virtual awaitable<void> close() = 0;
    /// What to call it in logs: "local", "api.openai.com".
    virtual std::string_view peer_name() const = 0;
};

struct LeaseRequest {
    std::string model;  ///< empty: the configured one
    bool transcription = false;  ///< a session that only transcribes (`intent=transcription`): it has no model
    std::shared_ptr<const characters::Character> character;  ///< may be null; only the local engine looks at it
    bool recovers = false;       ///< for a conversation that has lost its session: tried now and then even while a service is known to be down
    milliseconds age_max = milliseconds::max();  ///< a connection that was opened ahead and is older will not do
    std::uint32_t without = 0;   ///< of several services (FallbackSource) those are not asked whose bit is set
};

struct Lease {
    std::unique_ptr<Upstream> upstream;
    std::string session_created;  ///< its first event, already received
    bool warm = false;            ///< it had been opened ahead
    milliseconds age{0};          ///< of the session: the service counts from its opening, not from the lease
    std::size_t source = 0;       ///< which of several services it is of (FallbackSource): its bit in LeaseRequest::without
};

/// Where conversations get their upstream from.
class Source {
public:
    virtual ~Source() = default;
    /// A fresh Realtime session, exclusively the caller's. Code::upstream_unavailable, Code::upstream_rejected (fatal), Code::timeout, Code::tls.
    virtual Task<Lease> lease(LeaseRequest request) = 0;
    /// Whether a lease has a chance now (for /readyz).
    virtual bool is_ready() const = 0;
    virtual awaitable<void> stop() = 0;
};

}  // namespace repartee::upstream
