#pragma once
#include <boost/system/result.hpp>
#include <iosfwd>
#include <string>
#include <string_view>

namespace repartee {

/// Everything that can go wrong and is expected to, in one vocabulary. The same word stands in the log, in the
/// `code` label of /metrics and in the client's `error` event.
enum class Code {
    ok,
    invalid_json,           ///< not JSON, or not a JSON object
    invalid_event,          ///< JSON without a usable `type`, or a binary frame where none belongs
    invalid_value,          ///< a field has a value outside of what is accepted
    missing_required_parameter,
    unknown_parameter,
    invalid_audio,          ///< odd byte count, bad base64, unsupported rate
    commit_empty,           ///< input_audio_buffer.commit without enough audio
    active_response,        ///< response.create while a response runs
    no_active_response,     ///< response.cancel while none runs
    item_not_found,
    unsupported_content,    ///< truncate of something that has no model audio
    too_large,              ///< a message, body, upload or buffer over its limit
    unauthorized,           ///< no key, or not one of ours
    forbidden,              ///< a browser page of a foreign origin
    not_found,
    character_not_found,
    method_not_allowed,
    resume_refused,         ///< a resume token that is unknown, used, expired, or of another conversation
    busy,                   ///< a cap (sessions, connections) is reached, or the server drains
    slow_client,            ///< the client reads more slowly than it is spoken to
    idle,                   ///< nothing was heard for the idle limit
    timeout,                ///< an operation ran into its time limit
    cancelled,              ///< stopped by its owner
    closed,                 ///< the peer closed, or the connection broke
    protocol,               ///< the peer broke HTTP, WebSocket or TLS rules
    tls,                    ///< certificate or host name not verified, handshake refused
    upstream_unavailable,   ///< not reachable, breaker open, or no connection within the limit
    upstream_rejected,      ///< fatal: bad key, quota, unknown model; a retry cannot help
    not_configured,         ///< the feature needs a setting that is absent
    provider_failed,        ///< STT, LLM or TTS answered with an error
    storage,                ///< SQLite or the file system
    internal,
};

/// The word for logs, metrics and events, e.g. "input_audio_buffer_commit_empty" (OpenAI's word where it has one).
std::string_view name(Code code);

/// The HTTP status with which a request that ended in `code` is answered.
int http_status(Code code);

/// `error.type` of a Realtime error event: "invalid_request_error" or "server_error".
std::string_view realtime_type(Code code);

/// An expected failure. `message` names the cause and the mend, and may be shown to a client: no secrets.
struct Error {
    Code code = Code::internal;
    std::string message;
    std::string param{};          ///< the offending field, e.g. "session.audio.output.voice"; may be empty
    std::string upstream_code{};  ///< the peer's own code, when it had one, e.g. "invalid_api_key"
};

/// "code: message", for test output.
std::ostream& operator<<(std::ostream& out, const Error& error);

template <class T>
using Result = boost::system::result<T, Error>;

/// Called by Result::value() on a failure: a programming error, since expected failures are looked at first.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

}  // namespace repartee
