#pragma once
#include "repartee/api/router.hpp"
#include "repartee/api/services.hpp"
#include "repartee/net/http_server.hpp"

/// All handlers of the route table; each stands in the .cpp named after its resource.
namespace repartee::api {

using Handler = net::Reply (*)(Services&, net::Request&&, const PathParams&);
/// For what waits for somebody: a provider, the database.
using AsyncHandler = awaitable<net::Reply> (*)(Services&, net::Request, PathParams);

// characters.cpp
net::Reply list_characters(Services&, net::Request&&, const PathParams&);
net::Reply get_character(Services&, net::Request&&, const PathParams&);
net::Reply get_introduction(Services&, net::Request&&, const PathParams&);

// static_files.cpp
net::Reply get_introduction_audio(Services&, net::Request&&, const PathParams&);
net::Reply get_page(Services&, net::Request&&, const PathParams&);
net::Reply get_page_file(Services&, net::Request&&, const PathParams&);

// health.cpp
net::Reply get_health(Services&, net::Request&&, const PathParams&);
net::Reply get_alive(Services&, net::Request&&, const PathParams&);
net::Reply get_ready(Services&, net::Request&&, const PathParams&);
net::Reply get_metrics(Services&, net::Request&&, const PathParams&);
net::Reply list_models(Services&, net::Request&&, const PathParams&);

// status.cpp
net::Reply get_status(Services&, net::Request&&, const PathParams&);

// conversation_endpoint.cpp, realtime_endpoint.cpp
net::Reply open_conversation(Services&, net::Request&&, const PathParams&);
net::Reply open_realtime(Services&, net::Request&&, const PathParams&);

// voice_chat.cpp
awaitable<net::Reply> voice_chat(Services&, net::Request, PathParams);
awaitable<net::Reply> get_voice_chat(Services&, net::Request, PathParams);
awaitable<net::Reply> delete_voice_chat(Services&, net::Request, PathParams);
net::Reply get_reply_audio(Services&, net::Request&&, const PathParams&);

// interview_endpoint.cpp, interviews.cpp
awaitable<net::Reply> open_interview(Services&, net::Request, PathParams);
net::Reply create_interview(Services&, net::Request&&, const PathParams&);
awaitable<net::Reply> get_interview(Services&, net::Request, PathParams);
awaitable<net::Reply> delete_interview(Services&, net::Request, PathParams);

// sessions.cpp
awaitable<net::Reply> get_transcript(Services&, net::Request, PathParams);
net::Reply get_recording(Services&, net::Request&&, const PathParams&);
awaitable<net::Reply> delete_session(Services&, net::Request, PathParams);
awaitable<net::Reply> delete_sessions(Services&, net::Request, PathParams);

// listen_endpoint.cpp
net::Reply open_listening(Services&, net::Request&&, const PathParams&);

}  // namespace repartee::api
