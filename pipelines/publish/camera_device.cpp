// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/publish/camera_device.h"

#include "elements/glue/gst_ptr.h"

#include <algorithm>
#include <memory>
#include <optional>

namespace sotto {
namespace {

struct Free {
  void operator()(gchar* text) const { g_free(text); }
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
};
using Text = std::unique_ptr<gchar, Free>;

std::optional<CameraDevice> camera_of(GstDevice* device) {
  const auto element = GstPtr<GstElement>::sink(gst_device_create_element(device, nullptr));
  if (!element) return std::nullopt;
  auto* factory = gst_element_get_factory(element.get());
  if (factory == nullptr) return std::nullopt;
  const std::string_view made_by = GST_OBJECT_NAME(factory);
  CameraDevice camera;
  gchar* name = nullptr;
  if (made_by == "v4l2src") {
    camera.api = CameraDevice::Api::kV4l2;
    g_object_get(element.get(), "device", &name, nullptr);
  } else if (made_by == "libcamerasrc") {
    camera.api = CameraDevice::Api::kLibcamera;
    g_object_get(element.get(), "camera-name", &name, nullptr);
  } else {
    return std::nullopt;
  }
  const Text name_holder(name);
  const Text title(gst_device_get_display_name(device));
  camera.name = name != nullptr ? name : "";
  camera.title = title ? title.get() : camera.name;
  return camera;
}

/// libcamera names a camera by its place in the device tree; USB ones say so there.
bool is_ribbon_camera(const CameraDevice& camera) {
  return camera.api == CameraDevice::Api::kLibcamera &&
         camera.name.find("usb") == std::string::npos;
}

}  // namespace

std::vector<CameraDevice> cameras_of_this_machine() {
  const auto monitor = GstPtr<GstDeviceMonitor>::sink(gst_device_monitor_new());
  gst_device_monitor_add_filter(monitor.get(), "Video/Source", nullptr);
  std::vector<CameraDevice> cameras;
  if (gst_device_monitor_start(monitor.get()) == FALSE) return cameras;
  GList* devices = gst_device_monitor_get_devices(monitor.get());
  for (auto* item = devices; item != nullptr; item = item->next) {
    const auto device = GstPtr<GstDevice>::adopt(GST_DEVICE(item->data));
    if (auto camera = camera_of(device.get()); camera) cameras.push_back(std::move(*camera));
  }
  g_list_free(devices);
  gst_device_monitor_stop(monitor.get());
  return cameras;
}

Result<CameraDevice> choose_camera(const std::vector<CameraDevice>& cameras,
                                   std::string_view wanted) {
  // A device file needs no list: it may be a loopback device that no provider shows.
  if (wanted.substr(0, 5) == "/dev/") {
    return CameraDevice{CameraDevice::Api::kV4l2, std::string(wanted), std::string(wanted)};
  }
  const CameraDevice* best = nullptr;
  const auto rank = [](const CameraDevice& c) {
    return is_ribbon_camera(c) ? 0 : c.api == CameraDevice::Api::kV4l2 ? 1 : 2;
  };
  for (const auto& camera : cameras) {
    const bool meant = wanted.empty() || camera.name.find(wanted) != std::string::npos ||
                       camera.title.find(wanted) != std::string::npos;
    if (meant && (best == nullptr || rank(camera) < rank(*best))) best = &camera;
  }
  if (best != nullptr) return *best;
  std::string message = wanted.empty() ? "there is no camera on this machine"
                                       : "there is no camera named " + std::string(wanted);
  if (cameras.empty()) {
    message += "; `ls -l /dev/video*` shows devices, and you may need to be in the group `video`";
  } else {
    message += "; there are:";
    for (const auto& camera : cameras) message += " \"" + camera.title + "\"";
  }
  return fail(ErrorCode::kNotFound, message);
}

}  // namespace sotto
