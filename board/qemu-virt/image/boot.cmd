# U-Boot's script on partition 1: the Raspberry Pi's autoboot.txt and tryboot with the same meaning. autoboot.txt names the
# partition to start from; a file named tryboot takes tryboot_partition once: it is deleted before anything is started.
setenv boot_partition 2
setenv tryboot_partition 3
load ${devtype} ${devnum}:1 ${loadaddr} autoboot.txt && env import -t ${loadaddr} ${filesize} boot_partition tryboot_partition
if test -e ${devtype} ${devnum}:1 tryboot; then
  fatrm ${devtype} ${devnum}:1 tryboot
  setenv boot_partition ${tryboot_partition}
fi
echo "sealcam: starting from partition ${boot_partition}"
load ${devtype} ${devnum}:${boot_partition} ${loadaddr} boot.txt && env import -t ${loadaddr} ${filesize} bootargs
load ${devtype} ${devnum}:${boot_partition} ${kernel_addr_r} kernel && load ${devtype} ${devnum}:${boot_partition} ${ramdisk_addr_r} initramfs && booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}
echo "sealcam: partition ${boot_partition} does not start; starting again"
sleep 10
reset
