#pragma once
#include "repartee/api/services.hpp"
#include "repartee/net/http_message.hpp"

namespace repartee::api {

/// What a client wants of a new interview, on top of what is configured. Both name the offending parameter. Pure.
Result<voice::InterviewSettings> interview_from_query(const Settings& settings, const net::Request& request);
Result<voice::InterviewSettings> interview_from_json(const Settings& settings, const json::object& body);

/// The interviewer (may be null) speaks with the own voice, unless the client named one.
void use_voice_of(const characters::Character* interviewer, bool client_named_one, voice::InterviewSettings& interview);

/// The configured interviewer; null: none is.
Result<std::shared_ptr<const characters::Character>> find_interviewer(const Shared& shared);

}  // namespace repartee::api
