#pragma once
#include "repartee/app/config.hpp"
#include "repartee/net/http_client.hpp"
#include "repartee/providers/create.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// The configuration as the services that hear, think and speak want it.
namespace repartee::app {

/// The three chains. Reads tts.voices_file; everything else was checked with the configuration.
Result<providers::RoleSettings> role_settings(const Config& config);
providers::DecodeSettings decode_settings(const Config& config);
/// `environment` is asked for proxies. One that is not understood was refused with the configuration when any request would go through it.
net::HttpClientSettings http_client_settings(const Config& config, const std::function<const char*(const char*)>& environment);

/// Empty path: an empty list. The error names the file.
Result<std::shared_ptr<const providers::VoiceList>> load_voices(const std::string& path);

/// Whether all that think are the prepared lines.
bool speaks_prepared_lines(const Config& config);
/// "openai (gpt-transcribe at api.openai.com), then embedded (nobody: …)", for the start and `check`. No secrets.
std::string chain_text(const Config& config, std::string_view role);
/// Who takes over when the first Realtime service cannot be had: "realtime_2 (gpt-realtime-2.1 at eu.example), then the engine built in".
/// Empty: nobody. No secrets.
std::string successors_text(const Config& config);
/// The list of interview.questions.
std::vector<std::string> split_questions(std::string_view text);

}  // namespace repartee::app
