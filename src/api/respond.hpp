#pragma once
#include "repartee/base/json.hpp"
#include "repartee/net/http_message.hpp"

namespace repartee::api {

net::Response respond_json(int status, const json::object& body);
net::Response respond_no_content();  ///< 204
/// {"error":{type, code, message, param}} with the fitting status; `extra` members go beside "error".
net::Response respond_error(const Error& error, json::object extra = {});

}  // namespace repartee::api
