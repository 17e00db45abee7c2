#include "repartee/base/error.hpp"

#include <ostream>
#include <stdexcept>

namespace repartee {
namespace {

struct Row {
    Code code;
    std::string_view name;
    int status;
};

constexpr Row rows[] = {
    {Code::ok, "ok", 200},
    {Code::invalid_json, "invalid_json", 400},
    {Code::invalid_event, "invalid_event", 400},
    {Code::invalid_value, "invalid_value", 400},
    {Code::missing_required_parameter, "missing_required_parameter", 400},
    {Code::unknown_parameter, "unknown_parameter", 400},
    {Code::invalid_audio, "invalid_audio", 400},
    {Code::commit_empty, "input_audio_buffer_commit_empty", 400},
    {Code::active_response, "conversation_already_has_active_response", 409},
    {Code::no_active_response, "response_cancel_not_active", 409},
    {Code::item_not_found, "item_not_found", 404},
    {Code::unsupported_content, "unsupported_content_type", 400},
    {Code::too_large, "too_large", 413},
    {Code::unauthorized, "invalid_api_key", 401},
    {Code::forbidden, "origin_not_allowed", 403},
    {Code::not_found, "not_found", 404},
    {Code::character_not_found, "character_not_found", 404},
    {Code::method_not_allowed, "method_not_allowed", 405},
    {Code::resume_refused, "resume_refused", 410},
    {Code::busy, "server_busy", 503},
    {Code::slow_client, "slow_client", 503},
    {Code::idle, "idle_timeout", 408},
    {Code::timeout, "timeout", 504},
    {Code::cancelled, "cancelled", 503},
    {Code::closed, "connection_closed", 502},
    {Code::protocol, "protocol_error", 400},
    {Code::tls, "tls_failed", 502},
    {Code::upstream_unavailable, "upstream_unavailable", 503},
    {Code::upstream_rejected, "upstream_rejected", 502},
    {Code::not_configured, "not_configured", 501},
    {Code::provider_failed, "provider_failed", 502},
    {Code::storage, "storage_failed", 500},
    {Code::internal, "internal_error", 500},
};

static_assert(std::size(rows) == static_cast<std::size_t>(Code::internal) + 1, "one row for every code");

const Row& row_of(Code code) { return rows[static_cast<std::size_t>(code)]; }

}  // namespace

std::string_view name(Code code) { return row_of(code).name; }

int http_status(Code code) { return row_of(code).status; }

std::string_view realtime_type(Code code)
{
    return http_status(code) < 500 ? "invalid_request_error" : "server_error";
}

std::ostream& operator<<(std::ostream& out, const Error& error) { return out << name(error.code) << ": " << error.message; }

void throw_exception_from_error(const Error& error, const boost::source_location& where)
{
    throw std::logic_error(std::string(name(error.code)) + ": " + error.message + " (unchecked Result at " +
                           where.file_name() + ":" + std::to_string(where.line()) + ")");
}

}  // namespace repartee
