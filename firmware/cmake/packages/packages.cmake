# Man pages, and the Debian packages sealcam-camera, sealcam-hub and sealcam: `scripts/package`.
if(NOT SEALCAM_PACKAGES)
  return()
endif()

set(here ${CMAKE_CURRENT_LIST_DIR})
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_program(READELF readelf REQUIRED)

# LICENSE as a machine-readable copyright file (Debian's copyright-format 1.0): scripts/sbom reads those.
file(READ ${PROJECT_SOURCE_DIR}/LICENSE licence)
string(REPLACE "\n" "\n " licence "${licence}")
foreach(round 1 2)  # neighbouring empty lines share a line end
  string(REPLACE "\n \n" "\n .\n" licence "${licence}")
endforeach()
string(STRIP "${licence}" licence)
file(WRITE ${PROJECT_BINARY_DIR}/packages/copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Sealcam

Files: *
Copyright: the authors of Sealcam
License: Apache-2.0
 ${licence}
")

# From --help of what was built; of another architecture's under the toolchain file's emulator.
add_custom_target(man_pages ALL)
foreach(program sealcam-camera sealcam-hub sealcam)
  set(page ${PROJECT_BINARY_DIR}/man/${program}.1.gz)
  add_custom_command(OUTPUT ${page}
    COMMAND ${Python3_EXECUTABLE} ${here}/man_page.py ${page} ${PROJECT_VERSION}
      "$<TARGET_PROPERTY:${program},CROSSCOMPILING_EMULATOR>" $<TARGET_FILE:${program}>
    DEPENDS ${program} ${here}/man_page.py
    COMMENT "Writing ${program}(1)" COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(man_${program} DEPENDS ${page})
  add_dependencies(man_pages man_${program})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ${program})
  install(FILES ${PROJECT_BINARY_DIR}/packages/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${program} COMPONENT ${program})
endforeach()

foreach(device camera hub)
  set(name sealcam-${device})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/board/ DESTINATION ${CMAKE_INSTALL_DATADIR}/${name}/boards COMPONENT ${name}
    FILES_MATCHING PATTERN "yocto" EXCLUDE PATTERN "image" EXCLUDE PATTERN "board.json" PATTERN "board.schema.json" PATTERN "README.md")
  install(FILES ${PROJECT_SOURCE_DIR}/firmware/${device}/README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${name})
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/sealcam COMPONENT sealcam)

# What dpkg runs. @unit@ is enabled and started, @others@ are only taken away; @users@ go with the package's last trace.
function(maintainer_scripts name unit others users folders)
  foreach(script postinst prerm postrm)
    configure_file(${here}/${script}.in ${PROJECT_BINARY_DIR}/packages/${name}/${script} @ONLY NEWLINE_STYLE UNIX
      FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  endforeach()
endfunction()
maintainer_scripts(sealcam-camera sealcam-camera.service "" "sealcam-camera" "/var/lib/sealcam/camera")
maintainer_scripts(sealcam-hub sealcam-hub.service sealcam-hub-kiosk.service "sealcam-hub sealcam-kiosk" "/var/lib/sealcam/hub")
file(WRITE ${PROJECT_BINARY_DIR}/packages/sealcam-camera/conffiles "/etc/sealcam/camera.json\n")
file(WRITE ${PROJECT_BINARY_DIR}/packages/sealcam-hub/conffiles "/etc/sealcam/hub.json\n")
foreach(name sealcam-camera sealcam-hub)
  string(TOUPPER ${name} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA
    "${PROJECT_BINARY_DIR}/packages/${name}/postinst;${PROJECT_BINARY_DIR}/packages/${name}/prerm;${PROJECT_BINARY_DIR}/packages/${name}/postrm;${PROJECT_BINARY_DIR}/packages/${name}/conffiles")
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_STRICT_PERMISSION ON)
endforeach()

set(architecture_x86_64 amd64)
set(architecture_aarch64 arm64)
set(architecture_armv7l armhf)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${architecture_${CMAKE_SYSTEM_PROCESSOR}})
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL sealcam-camera sealcam-hub sealcam)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_SOURCE_DIR}/build/package)
# Packages for a system whose libraries differ from Debian's say so in their version.
set(SEALCAM_PACKAGE_SYSTEM "" CACHE STRING "The system that packages are made for, where that is not Debian: raspberrypi")
if(SEALCAM_PACKAGE_SYSTEM)
  set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}+${SEALCAM_PACKAGE_SYSTEM}")
endif()
set(CPACK_PACKAGE_VENDOR Sealcam)
set(CPACK_PACKAGE_CONTACT "Sealcam <maintainers@sealcam.invalid>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(users "systemd | systemd-standalone-sysusers | systemd-sysusers, systemd | systemd-standalone-tmpfiles | systemd-tmpfiles, passwd")

set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_NAME sealcam-camera)
set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_SECTION video)
set(CPACK_DEBIAN_SEALCAM-CAMERA_DESCRIPTION "camera whose pictures only its owner's account can open
Captures, encodes, seals and signs pictures, and publishes them at an MQTT 5
broker that cannot open them. Runs as a service; listens on no port once it
has an owner. Sensors by V4L2 and, where libcamera is installed, by libcamera.")
set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_RECOMMENDS "libcamera-ipa")
set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_SUGGESTS "network-manager, polkitd, sealcam, v4l-utils")

set(CPACK_DEBIAN_SEALCAM-HUB_PACKAGE_NAME sealcam-hub)
set(CPACK_DEBIAN_SEALCAM-HUB_PACKAGE_SECTION video)
set(CPACK_DEBIAN_SEALCAM-HUB_DESCRIPTION "shows the pictures of one account's Sealcam cameras
Verifies and opens every frame, says what is live and what is not, and serves a
page, snapshots and streams on this machine's loopback address only. Runs as a
service; sealcam-hub-kiosk.service shows the page on the machine's own screen.")
set(CPACK_DEBIAN_SEALCAM-HUB_PACKAGE_SUGGESTS "cage, chromium, sealcam")

set(CPACK_DEBIAN_SEALCAM_PACKAGE_NAME sealcam)
set(CPACK_DEBIAN_SEALCAM_PACKAGE_SECTION video)
set(CPACK_DEBIAN_SEALCAM_DESCRIPTION "the owner's command line of Sealcam cameras
Makes accounts, sets brokers up, gives cameras and hubs an owner, records
cameras, and shows what passes at the broker and who could open it.")
set(CPACK_DEBIAN_SEALCAM_PACKAGE_SUGGESTS "mosquitto, sealcam-hub")

# Which libraries each package needs is known once they are built: cpack asks then. Modules that are loaded only where
# they are configured do not make a camera need what they need: FFmpeg's containers for clips, libcamera.
set(bin ${PROJECT_BINARY_DIR}/bin)
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/cpack-project.cmake CONTENT "
function(depends variable)
  execute_process(COMMAND \"${Python3_EXECUTABLE}\" \"${here}/depends.py\" --info \"${CMAKE_SYSROOT}/var/lib/dpkg/info\" \${ARGN}
    OUTPUT_VARIABLE line OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(\${variable} \"\${line}\" PARENT_SCOPE)
endfunction()
depends(camera \"${bin}/sealcam-camera\")
depends(replay --beyond \"${bin}/sealcam-camera\" \"${bin}/sealcam-replay.so\")
depends(hub \"${bin}/sealcam-hub\" \"${bin}/sealcam-media.so\")
depends(owner \"${bin}/sealcam\")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY \"\")  # each package has its own
set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_DEPENDS \"\${camera}, ${users}\")
set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_SUGGESTS \"\${CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_SUGGESTS}, \${replay}\")
set(CPACK_DEBIAN_SEALCAM-HUB_PACKAGE_DEPENDS \"\${hub}, ${users}\")
set(CPACK_DEBIAN_SEALCAM_PACKAGE_DEPENDS \"\${owner}\")
$<$<TARGET_EXISTS:sealcam_libcamera>:depends(libcamera --beyond \"${bin}/sealcam-camera\" \"${bin}/sealcam-libcamera.so\")
set(CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_RECOMMENDS \"\${libcamera}, \${CPACK_DEBIAN_SEALCAM-CAMERA_PACKAGE_RECOMMENDS}\")>
")
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_BINARY_DIR}/cpack-project.cmake)
include(CPack)
