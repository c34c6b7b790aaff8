// A vCenter for tests: govmomi's simulator with one template to clone from, and the network in which machines get addresses.
//
//	vcsim serve -listen 127.0.0.1:8989 -cert tls.crt -key tls.key -template NAME
//	vcsim show https://USER:PASSWORD@127.0.0.1:8989/sdk
//
// `show` asks a vCenter, as any client would, for its machines: JSON, one object a machine.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/url"
	"os"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/cluster/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

var properties = []string{"name", "config.template", "config.extraConfig", "config.hardware", "guest", "runtime.powerState"}

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(arguments []string) error {
	if len(arguments) > 0 && arguments[0] == "serve" {
		return serve(arguments[1:])
	}
	if len(arguments) == 2 && arguments[0] == "show" {
		return show(context.Background(), arguments[1])
	}
	return errors.New("usage: vcsim serve|show; the head of main.go says more")
}

// serve makes a vCenter and is its network until it is ended.
func serve(arguments []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:8989", "address and port")
	cert := flags.String("cert", "tls.crt", "certificate")
	key := flags.String("key", "tls.key", "its key")
	template := flags.String("template", "template", "name of the template that there is")
	_ = flags.Parse(arguments)

	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		return err
	}
	model := simulator.VPX()
	model.ServiceContent.About.Version = "8.0.3"
	model.Host = 0 // one cluster, and no host beside it
	model.Machine = 1
	if err := model.Create(); err != nil {
		return err
	}
	model.Service.Listen = &url.URL{Host: *listen}
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	model.Service.RegisterEndpoints = true // tags and cluster modules
	server := model.Service.NewServer()

	ctx := context.Background()
	client, err := govmomi.NewClient(ctx, server.URL, true)
	if err != nil {
		return err
	}
	if err := prepare(ctx, client, *template); err != nil {
		return err
	}
	log.Printf("serving %s", server.URL.Redacted())
	return lease(ctx, client)
}

// prepare makes of the model's machines the template: one is renamed and marked, the others go.
func prepare(ctx context.Context, client *govmomi.Client, name string) error {
	found, err := machines(ctx, client)
	if err != nil {
		return err
	}
	for number, each := range found {
		vm := object.NewVirtualMachine(client.Client, each.Self)
		if err := done(ctx)(vm.PowerOff(ctx)); err != nil {
			return err
		}
		if number > 0 {
			if err := done(ctx)(vm.Destroy(ctx)); err != nil {
				return err
			}
			continue
		}
		if err := done(ctx)(vm.Rename(ctx, name)); err != nil {
			return err
		}
		if err := vm.MarkAsTemplate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lease gives each machine that runs an address of 192.0.2.0/24, as DHCP and the guest's tools would.
func lease(ctx context.Context, client *govmomi.Client) error {
	for next := 100; ; time.Sleep(200 * time.Millisecond) {
		found, err := machines(ctx, client)
		if err != nil {
			return err
		}
		for _, each := range found {
			if each.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn || len(addresses(each)) > 0 {
				continue
			}
			given := &types.OptionValue{Key: "SET.guest.ipAddress", Value: fmt.Sprintf("192.0.2.%d", next)}
			spec := types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{given}}
			vm := object.NewVirtualMachine(client.Client, each.Self)
			if err := done(ctx)(vm.Reconfigure(ctx, spec)); err != nil {
				log.Printf("%s gets no address: %v", each.Name, err) // it may be gone again
				continue
			}
			next++
		}
	}
}

// show prints what a vCenter says of its machines.
func show(ctx context.Context, where string) error {
	address, err := url.Parse(where)
	if err != nil {
		return err
	}
	client, err := govmomi.NewClient(ctx, address, true)
	if err != nil {
		return err
	}
	defer func() { _ = client.Logout(ctx) }()
	found, err := machines(ctx, client)
	if err != nil {
		return err
	}
	writer := json.NewEncoder(os.Stdout)
	for _, each := range found {
		extra := map[string]any{}
		for _, option := range each.Config.ExtraConfig {
			extra[option.GetOptionValue().Key] = option.GetOptionValue().Value
		}
		said := map[string]any{
			"name":      each.Name,
			"template":  each.Config.Template,
			"power":     each.Runtime.PowerState,
			"cpus":      each.Config.Hardware.NumCPU,
			"memoryMiB": each.Config.Hardware.MemoryMB,
			"addresses": addresses(each),
			"extra":     extra,
		}
		if err := writer.Encode(said); err != nil {
			return err
		}
	}
	return nil
}

func machines(ctx context.Context, client *govmomi.Client) ([]mo.VirtualMachine, error) {
	all, err := view.NewManager(client.Client).CreateContainerView(
		ctx, client.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	if err != nil {
		return nil, err
	}
	defer func() { _ = all.Destroy(ctx) }()
	var found []mo.VirtualMachine
	err = all.Retrieve(ctx, []string{"VirtualMachine"}, properties, &found)
	return found, err
}

func addresses(machine mo.VirtualMachine) []string {
	found := []string{}
	if machine.Guest != nil {
		for _, each := range machine.Guest.Net {
			found = append(found, each.IpAddress...)
		}
	}
	return found
}

// done waits for a task that was just begun.
func done(ctx context.Context) func(*object.Task, error) error {
	return func(task *object.Task, err error) error {
		if err != nil {
			return err
		}
		return task.Wait(ctx)
	}
}
