# Office Online Server's module, and what its cmdlets say.

# A long-lived remote shell may have started before the product was installed
# and then does not know where its module is.
# Source: OfficeOnlineServerDsc refreshes PSModulePath the same way.
function Import-OfficeModule {
    [CmdletBinding()]
    param()

    $machine = [Environment]::GetEnvironmentVariable('PSModulePath', [EnvironmentVariableTarget]::Machine)
    if ($machine) { $env:PSModulePath = $env:PSModulePath + [System.IO.Path]::PathSeparator + $machine }
    if (-not (Get-Module -Name OfficeWebApps -ListAvailable)) {
        Stop-Script -Id 'NotOffice' -Message 'the module OfficeWebApps is not installed on this server'
    }
    Import-Module -Name OfficeWebApps
}

# The machine's place in its farm; null when it is in none, which the product
# reports as FileNotFoundException.
function Get-OfficeMachine {
    [CmdletBinding()]
    param()

    try { return Get-OfficeWebAppsMachine }
    catch [System.IO.FileNotFoundException] { return $null }
}

# Machines are named by their computer name here and there by their DNS name.
function Test-SameMachine {
    [CmdletBinding()]
    param([string] $One, [string] $Other)

    return $One.Split('.')[0] -eq $Other.Split('.')[0]
}

# Farm-wide settings are made on the master: a member may have to reach it
# with credentials that a remote shell cannot pass on.
function Assert-Master {
    [CmdletBinding()]
    param()

    $machine = Get-OfficeMachine
    if ($null -eq $machine) {
        Stop-Script -Id 'NotJoined' -Message 'this machine is in no Office Online Server farm'
    }
    if (-not (Test-SameMachine -One $machine.MasterMachineName -Other (Get-ComputerName))) {
        Stop-Script -Id 'NotMaster' -Message "the master of the farm is $($machine.MasterMachineName)"
    }
}

# When this machine's copy of the farm settings was last written; null when
# there is none.
function Get-SettingsTime {
    [CmdletBinding()]
    param()

    $parts = $env:ProgramData, 'Microsoft', 'OfficeWebApps', 'Data', 'FarmState', 'settings.xml'
    $file = [System.IO.Path]::Combine([string[]] $parts)
    return Get-FileTime -Path $file
}

# How the server itself answers /hosting/discovery. Its status is part of the
# baseline, so a refusal is an answer and no error.
function Get-Discovery {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Url)

    # .NET Framework may offer nothing newer than TLS 1.0; 0 leaves it to Windows.
    if ([int] [System.Net.ServicePointManager]::SecurityProtocol -ne 0) {
        [System.Net.ServicePointManager]::SecurityProtocol =
            [System.Net.ServicePointManager]::SecurityProtocol -bor [System.Net.SecurityProtocolType]::Tls12
    }
    $status = 0
    $problem = ''
    try { $status = [int] (Invoke-WebRequest -Uri $Url -UseBasicParsing -TimeoutSec 30).StatusCode }
    catch [System.Net.WebException] {
        $problem = [string] $_.Exception.Status
        if ($null -ne $_.Exception.Response) {
            $status = [int] $_.Exception.Response.StatusCode
            $problem = ''
        }
    }
    return [pscustomobject] @{ url = $Url; status = $status; problem = $problem }
}
