#include "respond.hpp"

namespace repartee::api {

net::Response respond_json(int status, const json::object& body)
{
    net::Response response;
    response.status = status;
    response.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
    response.body = json::to_text(body);
    return response;
}

net::Response respond_no_content()
{
    net::Response response;
    response.status = 204;
    return response;
}

net::Response respond_error(const Error& error, json::object extra)
{
    json::object detail{{"type", realtime_type(error.code)}, {"code", name(error.code)}, {"message", error.message}};
    detail["param"] = error.param.empty() ? json::value(nullptr) : json::value(error.param);
    extra["error"] = std::move(detail);
    net::Response response = respond_json(http_status(error.code), extra);
    if (error.code == Code::busy) response.headers.emplace_back("Retry-After", "5");
    if (error.code == Code::unauthorized) response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
}

}  // namespace repartee::api
