#pragma once
#include "repartee/net/http_message.hpp"
#include "repartee/voice/voice_chat.hpp"

namespace repartee::api {

/// What somebody asks of POST /voice-chat.
struct VoiceChatForm {
    voice::VoiceChatRequest chat;  ///< without its character
    std::string character_id;      ///< empty: as configured
    bool as_json = false;
};

/// Form fields win over query parameters of the same name. Takes the recording out of the request's body. Pure.
Result<VoiceChatForm> read_voice_chat_form(net::Request& request, std::size_t upload_bytes_max);

/// Whether JSON is what the client would rather have than any audio type; by q, then by order. Pure.
bool wants_json(std::string_view accept_header);

/// [A-Za-z0-9_-]{1,64}. Pure.
bool is_session_id(std::string_view text);

}  // namespace repartee::api
